"""Trainings and timings of one search take turns."""

import threading
import time

from econet.jobs.turns import Turns, alone, among_others


def test_nobody_computes_while_somebody_times(tmp_path):
    steps, stop, problems = [0], threading.Event(), []

    def compute():
        # As another process would have it: locks belong to the opened file.
        with Turns(tmp_path) as turns, turns.working():
            while not stop.is_set():
                turns.give_way()
                steps[0] += 1
                time.sleep(0.001)

    thread = threading.Thread(target=compute)
    thread.start()
    with Turns(tmp_path) as timer:
        for _ in range(3):
            before = steps[0]
            while steps[0] == before:
                time.sleep(0.001)
            with timer.timing():
                held = steps[0]
                time.sleep(0.05)
                problems.append(steps[0] - held)
        stop.set()
        thread.join(timeout=10)
    assert problems == [0, 0, 0]
    assert not thread.is_alive()


def test_a_process_that_computes_may_time_and_go_on(tmp_path):
    order = []

    def time_too():
        with Turns(tmp_path) as other, other.timing():
            order.append("the other times")

    thread = threading.Thread(target=time_too)
    with Turns(tmp_path) as turns:
        with turns.working():
            with turns.timing():
                order.append("it times")
            turns.give_way()
            thread.start()
            time.sleep(0.05)
            order.append("it goes on")  # at work again: the other waits
        thread.join(timeout=10)
    assert order == ["it times", "it goes on", "the other times"]


def test_one_alone_waits_for_all_the_others(tmp_path):
    order = []
    inside = threading.Event()

    def other():
        with among_others(tmp_path / "lock"):
            inside.set()
            time.sleep(0.05)
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    with alone(tmp_path / "lock"):
        order.append("alone")
    thread.join(timeout=10)
    assert order == ["other", "alone"]
