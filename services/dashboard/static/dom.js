// DOM elements and number formats. Data becomes text, never markup.

/** Make an element; attributes by name, children as text or elements. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Set text only when it differs: setting an equal text still costs a layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute only when it differs. */
export function setAttribute(node, name, value) {
  const text = value === null || value === undefined ? '' : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

export const known = (value) => value !== null && value !== undefined;

/** An own field of a record; inherited names such as `constructor` are ignored. */
export const own = (record, name) => (Object.hasOwn(record, name) ? record[name] : undefined);

export function ms(value) {
  if (!known(value)) return '–';
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function percent(value, digits = 1) {
  return known(value) ? `${value.toFixed(digits)} %` : '–';
}

export function clock(seconds) {
  return known(seconds) ? new Date(seconds * 1000).toLocaleTimeString([], { hour12: false }) : '–';
}

export const TIER_TEXTS = { L: 'on the device', E: 'at the edge', C: 'in the cloud' };

/** `d3@L` to variant and tier. */
export function option(text) {
  const [variant, tier] = (text ?? '').split('@');
  return { variant: variant || '', tier: tier || '' };
}

/** Compare names with numbers by value: device-2 before device-10. */
const collator = new Intl.Collator('en', { numeric: true });
export const byName = (a, b) => collator.compare(a, b);
