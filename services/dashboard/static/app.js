// Tercet's dashboard: hears one stream, draws a few times a second, steers by posting wishes.
import * as charts from './charts.js';
import * as device from './device.js';
import * as picture from './picture.js';
import * as steering from './steering.js';
import * as tables from './tables.js';
import { byId, clock, mark, write } from './words.js';
import { onChange, store } from './store.js';
import { follow } from './stream.js';

let stream = 'opening';

/** One line that says whether what is shown is true now. */
function state() {
  const bus = store.site.bus;
  const words = stream === 'lost' ? 'connection lost, trying again' : stream === 'opening' ? 'connecting' : bus?.away ? `bus away since ${clock(bus.since)}` : 'live';
  mark(document.body, 'data-stream', stream === 'live' && bus?.away ? 'away' : stream);
  write(byId('state-words'), words);
}

charts.begin();
steering.begin();
picture.begin(device.show);
device.begin();
onChange(state);
for (const part of [picture, tables, steering, charts]) onChange(part.draw);
follow((now) => {
  stream = now;
  state();
});
