// Parse an AsyncAPI document with AsyncAPI's own parser and print what it says of it, as JSON.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const levels = ["error", "warning", "information", "hint"];
const said = diagnostics.map(({ severity, message, path }) => ({
  level: levels[severity],
  message,
  path: path.join("."),
}));
const operations = document ? document.operations().all() : [];
console.log(
  JSON.stringify({
    said,
    version: document?.version() ?? null,
    addresses: document ? document.channels().all().map((channel) => channel.address()) : [],
    actions: Object.fromEntries(operations.map((o) => [o.id(), o.action()])),
    asked: operations.filter((o) => o.reply()).map((o) => o.id()),
  }),
);
