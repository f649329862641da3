// A worker of the pixel pool: takes one job, answers it, takes the next. It keeps nothing between them but its codecs' instances.
//
// Invariant: every job gets a reply; what fails is a reply too, so the thread ends only when it is told to or when the machine runs out of memory.

import { parentPort } from 'node:worker_threads';
import { defined } from '../../base/index.ts';
import { carryOut, type PixelReply, type PixelRequest, packResult, pixelFailure } from './pixel-jobs.ts';

const port = defined(parentPort, 'this file runs as a worker');

port.on('message', ({ id, job }: PixelRequest) => {
  try {
    const { result, moved } = packResult(carryOut(job));
    port.postMessage({ id, result } satisfies PixelReply, moved);
  } catch (error) {
    port.postMessage({ id, failure: pixelFailure(error) } satisfies PixelReply);
  }
});
