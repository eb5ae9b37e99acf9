// Charts over time, drawn by uPlot. Each has a legend, a text alternative, and a table on demand.
import { clock, element, known, ms, percent, setText } from './dom.js';
import { column, latest, state } from './state.js';

const HEIGHT = 190;
const TABLE_ROWS = 12;

const CHARTS = {
  response: {
    series: [['median', 'median', '--ink'], ['p95', '95th percentile', '--mute'], ['greedy', 'greedy, true', '--cloud'], ['oracle', 'oracle', '--good']],
    show: ms, floor: 0, levels: true,
  },
  accuracy: {
    series: [['accuracy', 'average of the options run', '--ink'], ['required', 'goal', '--weak', true]],
    show: percent,
  },
  gap: {
    series: [['regret', 'regret (true)', '--good'], ['gap', 'above the best 10 s so far', '--ink']],
    show: (value) => percent(known(value) ? value * 100 : value), floor: 0,
  },
};

const drawn = [];
const colours = new Map();

/** Return a colour of the style sheet, for light or dark mode. */
function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.body).getPropertyValue(name).trim());
  return colours.get(name);
}

/** Create all charts. */
export function begin() {
  for (const section of document.querySelectorAll('[data-chart]')) drawn.push(chart(section, CHARTS[section.dataset.chart]));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.clear();
    for (const one of drawn) one.plot.redraw(false);
  });
}

/** Draw the new rows. */
export function draw(changed) {
  if (!changed.all && !changed.rows) return;
  for (const one of drawn) one.update();
}

function chart(section, about) {
  const frame = section.querySelector('.plot');
  const legend = section.querySelector('.legend');
  const details = section.querySelector('details');
  const items = about.series.map(([, label, hue, dashed]) => {
    const value = element('b', {}, '–');
    const swatch = element('i', { class: dashed ? 'dashed' : '' });
    swatch.style.setProperty('--hue', `var(${hue})`);
    const item = element('li', {}, swatch, `${label} `, value);
    legend.append(item);
    return { item, value };
  });
  const plot = new window.uPlot(options(about, frame), [[], ...about.series.map(() => [])], frame);
  new ResizeObserver(() => plot.setSize({ width: frame.clientWidth, height: HEIGHT })).observe(frame);

  function update() {
    plot.setData([column('t'), ...about.series.map(([name]) => column(name))]);
    const texts = about.series.map(([name, label], k) => {
      const value = latest(name);
      items[k].item.hidden = !column(name).some(known);
      setText(items[k].value, about.show(value));
      return known(value) ? `${label} ${about.show(value)}` : null;
    });
    frame.setAttribute('aria-label', texts.filter(known).join(', ') || 'no data yet');
    if (details.open) table();
  }

  function table() {
    const shown = about.series.filter(([name]) => column(name).some(known));
    const times = column('t');
    const head = element('tr', {}, element('th', { scope: 'col' }, 'time'), ...shown.map(([, label]) => element('th', { scope: 'col' }, label)));
    const body = times.slice(-TABLE_ROWS).map((t, k, some) => {
      const row = times.length - some.length + k;
      return element('tr', {}, element('th', { scope: 'row' }, clock(t)), ...shown.map(([name]) => element('td', {}, about.show(column(name)[row]))));
    });
    details.querySelector('div').replaceChildren(element('table', {}, element('thead', {}, head), element('tbody', {}, ...body.reverse())));
  }

  details.addEventListener('toggle', () => details.open && table());
  return { plot, update };
}

function options(about, frame) {
  const axis = { stroke: () => colour('--mute'), grid: { stroke: () => colour('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return {
    width: frame.clientWidth || 400,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 28, 0, 0],
    scales: { x: { time: true }, y: { range: (_, low, high) => range(about, low, high) } },
    axes: [{ ...axis, size: 26, values: '{HH}:{mm}:{ss}', space: 90 }, { ...axis, size: 52, values: (_, values) => values.map((v) => (known(v) ? about.show(v) : '')) }],
    series: [
      {},
      ...about.series.map(([, label, hue, dashed]) => ({
        label, stroke: () => colour(hue), width: 1.6, dash: dashed ? [5, 4] : undefined,
        spanGaps: false, points: { show: false },
      })),
    ],
    hooks: about.levels ? { draw: [levels] } : {},
  };
}

function range(about, low, high) {
  if (!known(low) || !known(high)) return [0, 1];
  const least = about.floor ?? low;
  const most = about.levels ? Math.max(high, ...policies().map((p) => Math.min(p.ms, 2 * high))) : high;
  const room = Math.max((most - least) * 0.08, Math.abs(most) * 0.01, 1e-6);
  return [about.floor ?? least - room, most + room];
}

function policies() {
  return Object.entries(state.policies)
    .filter(([name]) => name !== 'learned')
    .map(([name, record]) => ({ name, ...record }))
    .sort((a, b) => b.ms - a.ms);
}

/** Draw fixed policies as level lines, dotted if only estimated. Overlapping labels are omitted. */
function levels(plot) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio || 1;
  let last = -Infinity;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = scale;
  ctx.font = `${10.5 * scale}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  for (const { name, ms: value, source } of policies()) {
    const y = plot.valToPos(value, 'y', true);
    if (y < bbox.top - 1) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(hue(name));
    ctx.setLineDash(source === 'measured' ? [8 * scale, 4 * scale] : [2 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    if (y - last > 13 * scale) {
      ctx.fillText(source === 'measured' ? name : `${name} (profile)`, bbox.left + 4 * scale, y - 5 * scale);
      last = y;
    }
  }
  ctx.restore();
}

/** Return a policy's colour: that of the tier on which it runs everything. */
export function hue(name) {
  const tier = name.slice(-2);
  return { '@L': '--local', '@E': '--edge', '@C': '--cloud' }[tier] ?? '--mute';
}
