// A data set of the DICOM JSON model (PS3.18 annex F) as the Native DICOM Model in XML (PS3.19 A.1): the two say the same in other words (PS3.18 F.2.1).
//
// Invariants: what comes out is well-formed whatever the values are: characters that XML cannot hold become U+FFFD; an attribute of a private block names its
// creator and has a tag without the block's number, and creators themselves are left out, as the model wants it.
// Left out on purpose: reading XML.

import { dictionaryEntry } from './dictionary.ts';
import { isPrivateCreator, isPrivateTag, parseTag, type Tag, tagHex } from './tag.ts';

type Attribute = {
  readonly vr?: string;
  readonly Value?: readonly unknown[];
  readonly InlineBinary?: string;
  readonly BulkDataURI?: string;
};
type JsonDataSet = Readonly<Record<string, Attribute>>;

const namespace = 'http://dicom.nema.org/PS3.19/models/NativeDICOM';
const groupNames = ['Alphabetic', 'Ideographic', 'Phonetic'] as const;
const componentNames = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix'] as const;

/** `json`: one object of the model, as our own writers make it. */
export function xmlOfDicomJson(json: object): string {
  const attributes = attributesXml(json as JsonDataSet);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="${namespace}" xml:space="preserve">${attributes}</NativeDicomModel>\n`;
}

function attributesXml(dataSet: JsonDataSet): string {
  let xml = '';
  for (const [name, attribute] of Object.entries(dataSet)) {
    const tag = parseTag(name);
    if (tag === undefined || isPrivateCreator(tag)) continue;
    const creator = creatorOf(dataSet, tag);
    const written = creator === undefined ? name : `${name.slice(0, 4)}00${name.slice(6)}`;
    const keyword = dictionaryEntry(tag)?.keyword ?? '';
    const begin = `<DicomAttribute tag="${written}" vr="${escaped(attribute.vr ?? 'UN')}"${keyword === '' ? '' : ` keyword="${escaped(keyword)}"`}${
      creator === undefined ? '' : ` privateCreator="${escaped(creator)}"`
    }`;
    const inside = valueXml(attribute);
    xml += inside === '' ? `${begin}/>` : `${begin}>${inside}</DicomAttribute>`;
  }
  return xml;
}

function valueXml({ vr, Value: values, InlineBinary: binary, BulkDataURI: uri }: Attribute): string {
  if (uri !== undefined) return `<BulkData uri="${escaped(uri)}"/>`;
  if (binary !== undefined) return `<InlineBinary>${escaped(binary)}</InlineBinary>`;
  return (values ?? []).map((value, index) => oneValueXml(vr, value, index + 1)).join('');
}

function oneValueXml(vr: string | undefined, value: unknown, number: number): string {
  if (vr === 'SQ') return `<Item number="${number}">${attributesXml((value ?? {}) as JsonDataSet)}</Item>`;
  if (vr === 'PN')
    return `<PersonName number="${number}">${nameXml((value ?? {}) as Record<string, unknown>)}</PersonName>`;
  return `<Value number="${number}">${plainText(value)}</Value>`;
}

function plainText(value: unknown): string {
  if (typeof value === 'string') return escaped(value);
  return typeof value === 'number' ? String(value) : '';
}

function nameXml(name: Readonly<Record<string, unknown>>): string {
  return groupNames
    .map((group) => {
      const text = name[group];
      if (typeof text !== 'string' || text === '') return '';
      const components = text
        .split('^')
        .slice(0, componentNames.length)
        .map((component, index) =>
          component === '' ? '' : `<${componentNames[index]}>${escaped(component)}</${componentNames[index]}>`,
        );
      return `<${group}>${components.join('')}</${group}>`;
    })
    .join('');
}

function creatorOf(dataSet: JsonDataSet, tag: Tag): string | undefined {
  const element = tag & 0xffff;
  if (!isPrivateTag(tag) || element < 0x1000) return undefined;
  const value = dataSet[tagHex((tag >>> 16) * 0x1_0000 + (element >>> 8))]?.Value?.[0];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return (
    text
      // What XML 1.0 has no place for, escaped or not.
      .replace(
        /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
        '\ufffd',
      )
      .replace(/[&<>"]/g, (each) => entities[each] ?? each)
      .replace(/\r/g, '&#13;')
  );
}
