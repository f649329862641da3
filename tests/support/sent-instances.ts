// Being told of each instance that an archive reads to send it, before it does.

import type { Running } from '../../src/app/running.ts';

/** `told` gets how many there were, this one included. */
export function onEachSent({ instances }: Running['archive'], told: (count: number) => void): void {
  const outgoing = instances.outgoing.bind(instances);
  let count = 0;
  instances.outgoing = async function* (some, takes) {
    for await (const batch of outgoing(some, takes)) {
      for (const each of batch) {
        count += 1;
        told(count);
        yield [each];
      }
    }
  };
}
