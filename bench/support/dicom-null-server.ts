// The child of dicom-net.bench.ts: a provider that reads everything and keeps nothing, and says what each association cost it.
//
//   node bench/support/dicom-null-server.ts HOW PDU_BYTES      HOW: read (into memory of its own), pieces (as they come)
//
// Prints its port, then one JSON line an association: messages, bytes, processor time of the main thread (user, system) and of the process, in
// microseconds, and the largest resident size so far.

import { type Association, dimseStatus, listenAssociations, negotiate } from '../../src/dicom/index.ts';

const [how = 'read', pduBytes = '262144'] = process.argv.slice(2);
const target = new Uint8Array(1024 * 1024);
const answer = new Uint8Array(300).fill(0x20);

async function serve(association: Association): Promise<void> {
  let messages = 0;
  let bytes = 0;
  const thread = process.threadCpuUsage();
  const whole = process.cpuUsage();
  for await (const message of association.messages()) {
    const { data } = message;
    if (data !== undefined && how === 'read') {
      for (let count = await data.read(target); count > 0; count = await data.read(target)) bytes += count;
    } else if (data !== undefined) {
      for await (const piece of data) bytes += piece.byteLength;
    }
    messages += 1;
    if (message.kind === 'C-FIND') {
      for (let count = 0; count < 20_000; count += 1) await message.respond({ status: dimseStatus.pending }, answer);
    }
    await message.respond({ status: dimseStatus.success });
  }
  const used = process.threadCpuUsage(thread);
  const all = process.cpuUsage(whole);
  const residentBytes = process.resourceUsage().maxRSS * 1024;
  console.log(
    JSON.stringify({
      messages,
      bytes,
      user: used.user,
      system: used.system,
      all: all.user + all.system,
      residentBytes,
    }),
  );
}

const services = new Set(['1.2.840.10008.1.1', '1.2.840.10008.5.1.4.1.2.2.1']);
const server = await listenAssociations({
  host: '127.0.0.1',
  port: 0,
  pduBytesMax: Number(pduBytes),
  decide: (request) => ({ kind: 'accept', ...negotiate(request, { served: services, refused: new Set() }) }),
  serve,
  onFault: (error) => console.error(error),
});
console.log(server.address.port);
process.once('SIGTERM', () => void server.close(1000));
