// Parses an event stream from its URL until it has caught up; prints how many messages there were, and the SHA-256 of their ids and data.
import { createHash } from 'node:crypto';
import { createParser } from 'eventsource-parser';

const answer = await fetch(process.argv[2]);
const text = answer.body.pipeThrough(new TextDecoderStream());
const hash = createHash('sha256');
let messages = 0;
let isCaughtUp = false;
const parser = createParser({
  onEvent: ({ event, id, data }) => {
    if (event === 'caught-up') isCaughtUp = true;
    if (event !== undefined) return;
    hash.update(`${id}\n${data}\n`);
    messages++;
  },
  onError: error => { throw error; },
});

for await (const piece of text) {
  parser.feed(piece);
  if (isCaughtUp) break;
}

console.log(`${messages} ${hash.digest('hex')}`);
process.exit(0);
