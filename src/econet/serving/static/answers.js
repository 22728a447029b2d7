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
  const doubting = answers.filter((answer) => answer.sureness?.none_of_these).length;
  if (doubting === 0) return said;
  said.append(doubting === answers.length ? "; perhaps none of these" : `; perhaps none of these, by ${doubting} of them`);
  return said;
}

export function fillCard(body, answer, page) {
  const bars = element("ol", { class: "bars" });
  for (const each of answer.likeliest) {
    const fill = element("div", { class: "fill" });
    const name = element("div", { class: "name" }, named(each.label), element("span", {}, percent(each.probability)));
    bars.append(element("li", {}, name, element("div", { class: "track", "aria-hidden": "true" }, fill)));
    requestAnimationFrame(() => { fill.style.width = `${100 * each.probability}%`; });
  }
  const parts = [bars];
  if (answer.others > 0) {
    const rest = answer.others === 1 ? "1 other class" : `${answer.others} other classes together`;
    parts.push(element("p", { class: "quiet" }, `${rest}: ${percent(answer.others_probability)}`));
  }
  parts.push(...sureness(answer.sureness, page.coverage), seen(answer, page.timed_calls));
  if (answer.seen.hint) parts.push(element("p", { class: "hint" }, answer.seen.hint));
  body.replaceChildren(...parts);
}

// How far it can be trusted: first that it may be none of these, then the set that holds the right class.
function sureness(found, coverage) {
  if (!found) return [element("p", { class: "quiet" }, "This file holds no confidence: it cannot tell when a picture is none of these.")];
  const parts = [];
  if (found.none_of_these) {
    const head = element("b", {}, "Perhaps none of these.");
    parts.push(element("p", { class: "hint unlike" }, head, " The picture looks unlike those it learned from; above is its best guess."));
  }
  const set = element("p", { class: "quiet among" });
  set.append(`On pictures like those it learned from, ${(100 * coverage).toFixed(0)} of 100 such sets hold the right class: `);
  for (const [place, name] of found.among.entries()) set.append(place ? ", " : "", named(name));
  if (found.among.length === 0) set.append("here no class is likely enough");
  set.append(found.others ? ` and ${found.others} more.` : ".");
  return [...parts, set];
}

// The map beside what the network saw; in place of an older one.
export function showLook(body, look, scale) {
  body.querySelector(".looked")?.remove();
  const { source, width, height, about, place, asked } = look;
  const picture = element("img", { src: source, alt: `Where it looked: ${place}`, width, height });
  if (Math.max(width, height) < 128) picture.className = "crisp";
  const colours = element("img", { src: scale, alt: "dark blue", width: 128, height: 8 });
  const caption = element(
    "figcaption", {},
    element("b", {}, "Where it looked, for ", named(about)), `${place}.`,
    element("span", { class: "scale" }, "matters not ", colours, " matters most"),
    `A patch that blurs slid over the picture; bright is where hiding costs this answer most (${asked} answers).`,
  );
  body.querySelector(".seen").after(element("figure", { class: "seen looked" }, picture, caption));
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
