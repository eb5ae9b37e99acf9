// The received state: sections of records, and rows over time. Drawn once per frame at most.

const MAX_ROWS = 900;
const MANY_DEVICES = 50; // Beyond this number the page is drawn less often: a drawing costs more.
const DRAW_INTERVAL_MS = 500; // Between two drawings with many devices.

export const state = {
  site: {}, nodes: {}, devices: {}, policies: {}, members: {}, workers: {}, journal: {},
  columns: [], rows: [],
};

let dirty = fresh();
let scheduled = false;
let drawn = -DRAW_INTERVAL_MS;
const listeners = [];

function fresh() {
  return { all: false, rows: false, sections: new Map() };
}

/** Register `draw`, which is called in an animation frame with the changes since the last one. */
export function onChange(draw) {
  listeners.push(draw);
}

/** Replace the whole state. */
export function replaceState(received) {
  for (const [name, content] of Object.entries(received)) {
    // Without a prototype: a node may be named __proto__ or constructor.
    if (name !== 'rows') state[name] = Array.isArray(content) ? content : Object.assign(Object.create(null), content);
  }
  state.rows = received.columns.map((_, k) => received.rows.map((row) => row[k]));
  dirty.all = true;
  schedule();
}

/** Apply changes; applying a change twice has no further effect. */
export function applyDelta(changes) {
  for (const [section, records] of Object.entries(changes)) {
    if (section === 'rows') {
      records.forEach(append);
      continue;
    }
    const known = (state[section] ??= Object.create(null));
    const keys = dirty.sections.get(section) ?? new Set();
    for (const [key, change] of Object.entries(records)) {
      keys.add(key);
      if (change === null) delete known[key];
      else known[key] = { ...known[key], ...change };
    }
    dirty.sections.set(section, keys);
  }
  schedule();
}

/** The newest value of a column. */
export function latest(name) {
  const column = state.rows[state.columns.indexOf(name)];
  return column?.length ? column[column.length - 1] : null;
}

export function column(name) {
  return state.rows[state.columns.indexOf(name)] ?? [];
}

function append(row) {
  const times = state.rows[0];
  if (!times || (times.length && row[0] <= times[times.length - 1])) return;
  state.rows.forEach((values, k) => {
    values.push(row[k]);
    if (values.length > MAX_ROWS) values.shift();
  });
  dirty.rows = true;
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  const many = Object.keys(state.devices).length > MANY_DEVICES;
  const wait = many ? drawn + DRAW_INTERVAL_MS - performance.now() : 0;
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
}

function draw() {
  scheduled = false;
  drawn = performance.now();
  const changed = dirty;
  dirty = fresh();
  for (const listener of listeners) listener(changed);
}
