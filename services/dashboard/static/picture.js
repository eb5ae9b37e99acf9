// The three tiers: a card per node, and for few devices a line from each to where it runs.
import { byId, byName, element, known, mark, ms, option, PLACES, write } from './words.js';
import { store } from './store.js';

const LINED = 24; // Devices beyond which lines would be a tangle: the cards become tiles.
const SVG = 'http://www.w3.org/2000/svg';

const cards = new Map();
const lines = new Map();
let places = new Map();
let choose = () => {};

/** Draw into the page; `onDevice` is called with a device's name when it is chosen. */
export function begin(onDevice) {
  choose = onDevice;
  new ResizeObserver(layout).observe(byId('picture'));
  byId('devices').addEventListener('keydown', move);
}

/** Draw what has changed. */
export function draw(changed) {
  const names = Object.keys(store.nodes);
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

const tierOf = (name) => store.nodes[name]?.tier || 'device';
const lined = () => byId('picture').dataset.mode === 'lines';

function rebuild(names) {
  for (const name of [...cards.keys()]) {
    if (!store.nodes[name] || cards.get(name).tier !== tierOf(name)) {
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
  mark(byId('picture'), 'data-mode', devices.length > LINED ? 'tiles' : 'lines');
  byId('empty').hidden = names.length > 0;
  if (!byId('devices').querySelector('[tabindex="0"]')) rove(byId('devices').firstElementChild);
}

/** A card; a device's is a button that tells why. */
function card(name) {
  const tier = tierOf(name);
  const part = (kind) => element('span', { class: kind });
  const parts = {
    name: part('name'), badge: part('badge'), cpu: part('bar'), memory: part('bar'),
    link: part('link'), ms: part('ms'),
  };
  const meter = (label, bar) => element('span', { class: 'meter' }, element('span', { class: 'label' }, label), element('span', { class: 'track' }, bar));
  write(parts.name, name);
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
  const is = store.nodes[name];
  const device = store.devices[name];
  const told = option(device?.option);
  mark(node, 'data-life', is.life);
  mark(node, 'data-weak', is.weak ? 'yes' : 'no');
  mark(node, 'data-tier', told.tier);
  mark(node, 'data-fallback', device?.fallback && device.fallback !== 'none' ? 'yes' : 'no');
  fill(parts.cpu, is.total || is.cpu);
  fill(parts.memory, is.memory);
  const gone = is.life === 'dead' || is.life === 'left';
  write(parts.link, gone ? is.life : known(is.link) ? `${is.weak ? 'weak ' : ''}${ms(is.link)}` : '');
  if (tier === 'device') {
    write(parts.badge, told.variant);
    write(parts.ms, known(device?.ms) ? ms(device.ms) : '');
  }
  mark(node, 'aria-label', said(name, tier, is, device, told));
}

function fill(bar, share) {
  const width = `scaleX(${Math.min(share ?? 0, 1)})`;
  if (bar.style.transform !== width) bar.style.transform = width;
}

/** A card in words, for those who do not see it. */
function said(name, tier, is, device, told) {
  const words = [`${name}, ${tier}, ${is.life === 'unknown' ? 'not heard yet' : is.life}`];
  if (told.tier) words.push(`runs ${told.variant} ${PLACES[told.tier] ?? ''}`);
  if (known(device?.ms)) words.push(`last response ${ms(device.ms)}`);
  if (known(is.cpu)) words.push(`cpu ${Math.round((is.total || is.cpu) * 100)} %, memory ${Math.round(is.memory * 100)} %`);
  if (known(is.link)) words.push(`${is.weak ? 'weak ' : ''}link ${ms(is.link)}`);
  return words.join(', ');
}

/** How many devices run on each edge and on the cloud. */
function hosts() {
  const count = new Map();
  for (const device of Object.values(store.devices)) {
    if (device.node) count.set(device.node, (count.get(device.node) ?? 0) + 1);
  }
  for (const [name, { tier, parts }] of cards) {
    if (tier === 'device') continue;
    const n = count.get(name) ?? 0;
    write(parts.ms, n ? `${n} run here` : 'idle');
    write(parts.badge, '');
  }
}

function notes() {
  const left = store.site.traffic?.left_out;
  const note = byId('site-note');
  note.hidden = !left;
  if (left) write(note, `${left} more nodes are not shown`);
}

/** Where the cards are; read once after each change of size or members. */
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

/** The network link of a node upwards, and a device's line to where it runs. */
function connect(name) {
  const from = places.get(name);
  const is = store.nodes[name];
  if (!from || !is) return;
  const drawn = lines.get(name) ?? make(name);
  const up = is.tier === 'edge' ? [...cards.keys()].find((n) => tierOf(n) === 'cloud') : is.home;
  const above = places.get(up);
  mark(drawn.link, 'd', above ? curve(from, above, -9) : '');
  mark(drawn.link, 'class', `link ${is.weak ? 'weak' : ''} ${is.life}`);
  const device = store.devices[name];
  const told = option(device?.option);
  const to = told.tier === 'L' ? from : places.get(device?.node);
  mark(drawn.run, 'd', !told.tier || !to ? '' : to === from ? loop(from) : curve(from, to, 9));
  mark(drawn.run, 'class', `run ${told.tier} ${is.life}`);
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

/** One device can be reached by Tab; arrows go on from there. */
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
