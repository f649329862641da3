// VRs that an implicit stream leaves open. US or SS: Pixel Representation of the same data set decides, or of one around it, and it may come later. OB or OW:
// the bits allocated decide, which come before.
//
// Invariants: an element that was read before the deciding one is replaced in its place; one that nothing decides stays US. Each waits once, so the cost is linear.

import type { DataSet } from './data-set.ts';
import { BytesElement } from './element.ts';
import type { Frame } from './reader-frame.ts';
import { type Tag, tags } from './tag.ts';
import { type VrFacts, vrFacts } from './vr.ts';

const byteFacts = vrFacts('OB');
const wordFacts = vrFacts('OW');
const waveformGroup = 0x5400;

/** OB where samples are known to be of one byte, else OW, which an implicit syntax means. `dataSet` is what came before. */
export function chosenBytes(tag: Tag, dataSet: DataSet): VrFacts {
  const inWaveform = tag >>> 16 === waveformGroup;
  if (!inWaveform && tag !== tags.PixelData) return wordFacts;
  const bits = dataSet.number(inWaveform ? tags.WaveformBitsAllocated : tags.BitsAllocated);
  return bits !== undefined && bits <= 8 ? byteFacts : wordFacts;
}

type Waiting = { readonly dataSet: DataSet; readonly index: number };

export class SignFollower {
  #waiting: Waiting[] = [];

  /** What is read from now on waits for what is opened now, too. */
  get mark(): number {
    return this.#waiting.length;
  }

  /** Pixel Representation was read in this frame. */
  decide(frame: Frame, element: BytesElement): void {
    frame.signed = element.sizeBytes === 2 && element.store.bytes[element.start] === 1;
    const waited = this.#waiting.splice(frame.waitingFrom);
    if (frame.signed) for (const { dataSet, index } of waited) makeSigned(dataSet, index);
  }

  /** The last element of the frame's data set may be signed. */
  follow(frame: Frame, outer: readonly Frame[]): void {
    const index = frame.dataSet.elements.length - 1;
    let { signed } = frame;
    for (let level = outer.length - 1; signed === undefined && level >= 0; level--) signed = outer[level]?.signed;
    if (signed === undefined) this.#waiting.push({ dataSet: frame.dataSet, index });
    else if (signed) makeSigned(frame.dataSet, index);
  }
}

function makeSigned(dataSet: DataSet, index: number): void {
  const element = dataSet.elements[index];
  if (!(element instanceof BytesElement)) return;
  dataSet.replaceAt(index, new BytesElement(element.tag, 'SS', element.store, element.start, element.sizeBytes));
}
