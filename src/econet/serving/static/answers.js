// The answer: one sentence for all networks, then a card for each. Every name becomes text, never markup.

export function element(kind, attributes = {}, ...inside) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// A name from outside: text in an element of its own, so that its direction does not spill over.
export function named(text) {
  return element("bdi", {}, text);
}

export function percent(share) {
  // A softmax is never quite 0 or 1, so it is not shown as such.
  if (share < 0.0005) return "< 0.1 %";
  if (share >= 0.9995) return "> 99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

export function makeCard(network) {
  const facts = element("p", { class: "facts" });
  for (const [place, fact] of network.facts.entries()) facts.append(place ? " · " : "", named(fact));
  const body = element("div");
  const size = element("p", { class: "size" }, network.headline);
  const card = element("article", { class: "network" }, element("h3", {}, named(network.name)), size, facts, body);
  return { card, body };
}

// What is said aloud: answers can only agree or differ where the networks know the same classes.
export function sentence(answers, sameClasses) {
  const first = answers.map((answer) => answer.likeliest[0]);
  const said = element("span");
  if (first.length === 1) {
    said.append(named(first[0].label), ", ", percent(first[0].probability));
  } else if (sameClasses && first.every((each) => each.label === first[0].label)) {
    said.append(first.length === 2 ? "Both say " : "All say ", named(first[0].label));
  } else {
    if (sameClasses) said.append("They differ: ");
    for (const [place, each] of first.entries()) said.append(place ? ", " : "", named(each.label));
  }
  return said;
}

export function fillCard(body, answer, calls) {
  const bars = element("ol", { class: "bars" });
  for (const each of answer.likeliest) {
    const fill = element("div", { class: "fill" });
    const name = element("div", { class: "name" }, named(each.label), element("span", {}, percent(each.probability)));
    for (const remark of each.remarks) name.firstChild.after(element("small", {}, remark));
    bars.append(element("li", {}, name, element("div", { class: "track", "aria-hidden": "true" }, fill)));
    requestAnimationFrame(() => { fill.style.width = `${100 * each.probability}%`; });
  }
  const parts = [bars];
  if (answer.others > 0) {
    const rest = answer.others === 1 ? "1 other class" : `${answer.others} other classes together`;
    parts.push(element("p", { class: "quiet" }, `${rest}: ${percent(answer.others_probability)}`));
  }
  parts.push(seen(answer, calls));
  if (answer.seen.hint) parts.push(element("p", { class: "hint" }, answer.seen.hint));
  body.replaceChildren(...parts);
}

function seen(answer, calls) {
  const { source, width, height, steps } = answer.seen;
  const alt = `What the network saw: ${width} × ${height} pixels, enlarged`;
  const picture = element("img", { src: source, alt, width, height });
  if (Math.max(width, height) < 128) picture.className = "crisp";
  const caption = element(
    "figcaption", {},
    element("b", {}, "What it saw"), `${steps}.`,
    element("b", { class: "took" }, `Answered in ${answer.latency}`),
    `Median of ${calls} calls of the network alone, on one thread of this machine.`,
  );
  return element("figure", { class: "seen" }, picture, caption);
}
