// A data set whose texts are said in another character set: when a new value cannot be said in the one it came in.
//
// Invariants: every text of the data set and of its items means the same as before, in the set in which each stood; values of plain ASCII, and what is no text, keep
// their bytes; Specific Character Set says the new set wherever it stood, and in the outermost data set. What broke the rules of its set says U+FFFD there.
// Left out on purpose: private elements without a VR; nobody can know whether they are text.

import { type CharacterSet, decodeText, encodeText } from '../text/character-set.ts';
import { DataSet, type Element, ItemsElement } from './data-set.ts';
import { BytesElement, bytesElement } from './element.ts';
import { tags } from './tag.ts';
import { bytesOfStrings, padded, readableFacts, textKindOf } from './values.ts';

/** undefined: a text was passed over in reading; the data set is to be read again with all its values. `to` can say everything. */
export function recodeText(dataSet: DataSet, from: CharacterSet, to: CharacterSet): DataSet | undefined {
  const recoded = recodeItem(dataSet, from, to);
  recoded?.set(bytesElement(tags.SpecificCharacterSet, 'CS', bytesOfStrings('CS', to.terms)));
  return recoded;
}

function recodeItem(item: DataSet, inherited: CharacterSet, to: CharacterSet): DataSet | undefined {
  const from = item.characterSet(inherited);
  const recoded = new DataSet([], item.definedLength);
  for (const element of item.elements) {
    const changed = recodeElement(element, from, to);
    if (changed === undefined) return undefined;
    recoded.append(changed);
  }
  return recoded;
}

function recodeElement(element: Element, from: CharacterSet, to: CharacterSet): Element | undefined {
  const { tag, vr } = element;
  if (element instanceof ItemsElement) {
    const items: DataSet[] = [];
    for (const item of element.items) {
      const recoded = recodeItem(item, from, to);
      if (recoded === undefined) return undefined;
      items.push(recoded);
    }
    return new ItemsElement(tag, vr, items, element.definedLength);
  }
  if (tag === tags.SpecificCharacterSet) return bytesElement(tag, vr, bytesOfStrings('CS', to.terms));
  const facts = readableFacts(tag, vr);
  if (facts.kind !== 'text') return element;
  if (!(element instanceof BytesElement)) return undefined;
  const { bytes } = element;
  if (bytes.every((byte) => byte < 0x80 && byte !== 0x1b)) return element;
  const kind = textKindOf(facts.vr);
  const said = encodeText(to, decodeText(from, bytes, kind), kind);
  return said === undefined ? element : bytesElement(tag, vr, padded(said, facts.vr));
}
