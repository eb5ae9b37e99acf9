// What the service said: sections of records and rows over time; drawn once per frame at most.

const KEPT = 900;
const CROWD = 50; // Devices beyond which the page is drawn less often: each drawing costs more.
const PAUSE = 500; // Milliseconds between two drawings then.

export const store = {
  site: {}, nodes: {}, devices: {}, policies: {}, members: {}, workers: {}, journal: {},
  columns: [], rows: [],
};

let dirty = fresh();
let scheduled = false;
let drawn = -PAUSE;
const listeners = [];

function fresh() {
  return { all: false, rows: false, sections: new Map() };
}

/** Have `draw` called, in a frame, with what has changed since the last one. */
export function onChange(draw) {
  listeners.push(draw);
}

/** Replace everything. */
export function whole(said) {
  for (const [name, content] of Object.entries(said)) {
    // Without a prototype: a node may be called __proto__ or constructor.
    if (name !== 'rows') store[name] = Array.isArray(content) ? content : Object.assign(Object.create(null), content);
  }
  store.rows = said.columns.map((_, k) => said.rows.map((row) => row[k]));
  dirty.all = true;
  schedule();
}

/** Take changes in; the same change twice does no harm. */
export function delta(said) {
  for (const [section, records] of Object.entries(said)) {
    if (section === 'rows') {
      records.forEach(append);
      continue;
    }
    const known = (store[section] ??= Object.create(null));
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
  const column = store.rows[store.columns.indexOf(name)];
  return column?.length ? column[column.length - 1] : null;
}

export function column(name) {
  return store.rows[store.columns.indexOf(name)] ?? [];
}

function append(row) {
  const times = store.rows[0];
  if (!times || (times.length && row[0] <= times[times.length - 1])) return;
  store.rows.forEach((values, k) => {
    values.push(row[k]);
    if (values.length > KEPT) values.shift();
  });
  dirty.rows = true;
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  const crowd = Object.keys(store.devices).length > CROWD;
  const wait = crowd ? drawn + PAUSE - performance.now() : 0;
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
