// Tercet's dashboard: reads one event stream, draws a few times a second, posts actions.
import * as charts from './charts.js';
import * as device from './device.js';
import * as nodes from './nodes.js';
import * as actions from './actions.js';
import * as tables from './tables.js';
import { byId, clock, setAttribute, setText } from './dom.js';
import { onChange, state } from './state.js';
import { follow } from './stream.js';

let connection = 'opening';

/** Show in one line whether the page is up to date. */
function drawConnection() {
  const bus = state.site.bus;
  const text = connection === 'lost' ? 'connection lost, trying again' : connection === 'opening' ? 'connecting' : bus?.away ? `bus away since ${clock(bus.since)}` : 'live';
  setAttribute(document.body, 'data-stream', connection === 'live' && bus?.away ? 'away' : connection);
  setText(byId('state-words'), text);
}

charts.begin();
actions.begin();
nodes.begin(device.show);
device.begin();
onChange(drawConnection);
for (const part of [nodes, tables, actions, charts]) onChange(part.draw);
follow((status) => {
  connection = status;
  drawConnection();
});
