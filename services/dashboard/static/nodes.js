// The three tiers: a card per node, and with few devices a line from each to where it runs.
import { byId, byName, element, known, ms, option, setAttribute, setText, TIER_TEXTS } from './dom.js';
import { state } from './state.js';

const MAX_DEVICES_WITH_LINES = 24; // With more devices the cards become tiles without lines.
const SVG = 'http://www.w3.org/2000/svg';

const cards = new Map();
const lines = new Map();
let places = new Map();
let choose = () => {};

/** Install handlers; `onDevice` is called with the name of the selected device. */
export function begin(onDevice) {
  choose = onDevice;
  new ResizeObserver(layout).observe(byId('picture'));
  byId('devices').addEventListener('keydown', move);
}

/** Draw the changes. */
export function draw(changed) {
  const names = Object.keys(state.nodes);
  const other = changed.all || names.length !== cards.size || regrouped(changed);
  if (other) rebuild(names);
  const touched = other ? names : [...(changed.sections.get('nodes') ?? []), ...(changed.sections.get('devices') ?? [])];
  for (const name of new Set(touched)) if (cards.has(name)) update(name);
  if (other) layout();
  else if (lined()) for (const name of new Set(touched)) connect(name);
  if (touched.length) hosts();
  notes();
}

function regrouped(changed) {
  for (const name of changed.sections.get('nodes') ?? []) {
    if (cards.get(name)?.tier !== tierOf(name)) return true;
  }
  return false;
}

const tierOf = (name) => state.nodes[name]?.tier || 'device';
const lined = () => byId('picture').dataset.mode === 'lines';

function rebuild(names) {
  for (const name of [...cards.keys()]) {
    if (!state.nodes[name] || cards.get(name).tier !== tierOf(name)) {
      cards.get(name).node.remove();
      cards.delete(name);
    }
  }
  const rows = { cloud: byId('cloud'), edge: byId('edges'), device: byId('devices') };
  for (const name of names.sort(byName)) {
    if (!cards.has(name)) cards.set(name, card(name));
    rows[tierOf(name)].append(cards.get(name).node);
  }
  const devices = names.filter((name) => tierOf(name) === 'device');
  setAttribute(byId('picture'), 'data-mode', devices.length > MAX_DEVICES_WITH_LINES ? 'tiles' : 'lines');
  byId('empty').hidden = names.length > 0;
  if (!byId('devices').querySelector('[tabindex="0"]')) rove(byId('devices').firstElementChild);
}

/** Create a card; a device's card is a button that opens its details. */
function card(name) {
  const tier = tierOf(name);
  const part = (kind) => element('span', { class: kind });
  const parts = {
    name: part('name'), badge: part('badge'), cpu: part('bar'), memory: part('bar'),
    link: part('link'), ms: part('ms'),
  };
  const meter = (label, bar) => element('span', { class: 'meter' }, element('span', { class: 'label' }, label), element('span', { class: 'track' }, bar));
  setText(parts.name, name);
  const node = element(
    tier === 'device' ? 'button' : 'div',
    { class: `node ${tier}`, 'data-name': name, tabindex: tier === 'device' ? '-1' : '0', ...(tier === 'device' ? { type: 'button' } : { role: 'img' }) },
    element('span', { class: 'head' }, parts.name, parts.badge),
    meter('cpu', parts.cpu), meter('mem', parts.memory),
    element('span', { class: 'foot' }, parts.link, parts.ms),
  );
  if (tier === 'device') node.addEventListener('click', () => choose(name));
  return { node, tier, parts };
}

function update(name) {
  const { node, parts, tier } = cards.get(name);
  const info = state.nodes[name];
  const device = state.devices[name];
  const decided = option(device?.option);
  setAttribute(node, 'data-life', info.life);
  setAttribute(node, 'data-weak', info.weak ? 'yes' : 'no');
  setAttribute(node, 'data-tier', decided.tier);
  setAttribute(node, 'data-fallback', device?.fallback && device.fallback !== 'none' ? 'yes' : 'no');
  fill(parts.cpu, info.total || info.cpu);
  fill(parts.memory, info.memory);
  const gone = info.life === 'dead' || info.life === 'left';
  setText(parts.link, gone ? info.life : known(info.link) ? `${info.weak ? 'weak ' : ''}${ms(info.link)}` : '');
  if (tier === 'device') {
    setText(parts.badge, decided.variant);
    setText(parts.ms, known(device?.ms) ? ms(device.ms) : '');
  }
  setAttribute(node, 'aria-label', describe(name, tier, info, device, decided));
}

function fill(bar, share) {
  const width = `scaleX(${Math.min(share ?? 0, 1)})`;
  if (bar.style.transform !== width) bar.style.transform = width;
}

/** Describe a card in text, for screen readers. */
function describe(name, tier, info, device, decided) {
  const facts = [`${name}, ${tier}, ${info.life === 'unknown' ? 'no telemetry yet' : info.life}`];
  if (decided.tier) facts.push(`runs ${decided.variant} ${TIER_TEXTS[decided.tier] ?? ''}`);
  if (known(device?.ms)) facts.push(`last response ${ms(device.ms)}`);
  if (known(info.cpu)) facts.push(`cpu ${Math.round((info.total || info.cpu) * 100)} %, memory ${Math.round(info.memory * 100)} %`);
  if (known(info.link)) facts.push(`${info.weak ? 'weak ' : ''}link ${ms(info.link)}`);
  return facts.join(', ');
}

/** Show how many devices run on each edge and on the cloud. */
function hosts() {
  const count = new Map();
  for (const device of Object.values(state.devices)) {
    if (device.node) count.set(device.node, (count.get(device.node) ?? 0) + 1);
  }
  for (const [name, { tier, parts }] of cards) {
    if (tier === 'device') continue;
    const n = count.get(name) ?? 0;
    setText(parts.ms, n ? `${n} run here` : 'idle');
    setText(parts.badge, '');
  }
}

function notes() {
  const left = state.site.traffic?.left_out;
  const note = byId('site-note');
  note.hidden = !left;
  if (left) setText(note, `${left} more nodes are not shown`);
}

/** Read the positions of the cards, once after each change of size or membership. */
function layout() {
  const svg = byId('lines');
  if (!lined()) {
    svg.replaceChildren();
    lines.clear();
    return;
  }
  const frame = byId('picture').getBoundingClientRect();
  svg.setAttribute('viewBox', `0 0 ${frame.width} ${frame.height}`);
  places = new Map();
  for (const [name, { node }] of cards) {
    const box = node.getBoundingClientRect();
    places.set(name, { x: box.left - frame.left + box.width / 2, top: box.top - frame.top, bottom: box.bottom - frame.top, width: box.width });
  }
  for (const name of [...lines.keys()]) {
    if (!cards.has(name)) {
      lines.get(name).link.remove();
      lines.get(name).run.remove();
      lines.delete(name);
    }
  }
  for (const name of cards.keys()) connect(name);
}

/** Draw a node's network link upwards, and a device's line to where it runs. */
function connect(name) {
  const from = places.get(name);
  const info = state.nodes[name];
  if (!from || !info) return;
  const drawn = lines.get(name) ?? make(name);
  const up = info.tier === 'edge' ? [...cards.keys()].find((n) => tierOf(n) === 'cloud') : info.home;
  const above = places.get(up);
  setAttribute(drawn.link, 'd', above ? curve(from, above, -9) : '');
  setAttribute(drawn.link, 'class', `link ${info.weak ? 'weak' : ''} ${info.life}`);
  const device = state.devices[name];
  const decided = option(device?.option);
  const to = decided.tier === 'L' ? from : places.get(device?.node);
  setAttribute(drawn.run, 'd', !decided.tier || !to ? '' : to === from ? loop(from) : curve(from, to, 9));
  setAttribute(drawn.run, 'class', `run ${decided.tier} ${info.life}`);
}

function make(name) {
  const drawn = { link: document.createElementNS(SVG, 'path'), run: document.createElementNS(SVG, 'path') };
  byId('lines').prepend(drawn.link);
  byId('lines').append(drawn.run);
  lines.set(name, drawn);
  return drawn;
}

const round = (value) => Math.round(value * 10) / 10;

function curve(from, to, aside) {
  const x = from.x + aside;
  const end = to.x + Math.max(-to.width / 3, Math.min(to.width / 3, (from.x - to.x) / 5)) + aside / 3;
  const middle = (from.top + to.bottom) / 2;
  return `M${round(x)} ${round(from.top)}C${round(x)} ${round(middle)} ${round(end)} ${round(middle)} ${round(end)} ${round(to.bottom)}`;
}

function loop({ x, top }) {
  return `M${round(x - 9)} ${round(top)}c-7 -20 25 -20 18 0`;
}

/** Make one device reachable by Tab; arrow keys move on from there. */
function rove(node) {
  if (!node) return;
  for (const other of byId('devices').querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  node.tabIndex = 0;
}

function move(pressed) {
  const here = document.activeElement?.closest('.node');
  const steps = { ArrowRight: 'nextElementSibling', ArrowDown: 'nextElementSibling', ArrowLeft: 'previousElementSibling', ArrowUp: 'previousElementSibling' };
  const row = byId('devices');
  const to = pressed.key === 'Home' ? row.firstElementChild : pressed.key === 'End' ? row.lastElementChild : here?.[steps[pressed.key]];
  if (!to) return;
  pressed.preventDefault();
  rove(to);
  to.focus();
}
