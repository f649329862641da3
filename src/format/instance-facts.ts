// What an object entry says when the object is a DICOM instance (FORMAT.md 6): the member `dicom`.
//
// Invariants: texts are decoded (UTF-8 here, whatever the data set's character set was); several values of one attribute are joined by a
// backslash, as in DICOM; attributes carry the standard's keywords, so that a stranger knows what they are. The data set itself, verbatim, is the
// object's content: nothing here is needed to read it.

export type InstanceShape = {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly planar: boolean;
};

/** Attributes by keyword. Absent: not known; empty: known to be empty. */
export type Attributes = Readonly<Record<string, string>>;

/** What is said of patient, study and series; each only with the first instance that tells it and when it changed. */
export type AboutInstance = {
  readonly patient?: Attributes | undefined;
  readonly study?: Attributes | undefined;
  readonly series?: Attributes | undefined;
};

/**
 * How a reading came about. 'plain': nothing beyond ASCII; 'declared': what the data set declares reads best; 'text': another set reads better; 'unsure': another
 * set may read better, people must look; 'setting': somebody said what this device sends.
 */
export type ReadHow = (typeof readHows)[number];
export const readHows = ['plain', 'declared', 'text', 'unsure', 'setting'] as const;

/** Which device made a series, and the character set in which its texts were read. Names of devices are ASCII, whatever stood there. */
export type ReadAs = {
  readonly maker: string;
  readonly model: string;
  readonly station: string;
  /** Values of (0008,0005), as the data set has them and as they were read. */
  readonly declared: readonly string[];
  readonly read: readonly string[];
  readonly how: ReadHow;
};

export type InstanceFacts = {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly class: string;
  readonly syntax: string;
  readonly number: string | undefined;
  /** Bytes of the data set before the value of its pixel data; all of them where there is none. */
  readonly headBytes: number;
  readonly frames: number | undefined;
  readonly shape: InstanceShape | undefined;
  /** Of several objects with one instance UID the one with the greatest rank is shown, of equals the oldest. */
  readonly rank: number;
  /** Which door or application entity brought it. */
  readonly source: string | undefined;
  readonly about: AboutInstance;
  /** Said with the series. */
  readonly readAs?: ReadAs | undefined;
  /** What was odd about the data set, in words of ours. */
  readonly odd?: readonly string[] | undefined;
  /** Of a rejection note (IOCM): why, and the instances that it rejects. */
  readonly rejects?: Rejection | undefined;
};

export type Rejection = { readonly code: string; readonly instances: readonly string[] };

type Json = Record<string, unknown>;

export function instanceJson(facts: InstanceFacts): Json {
  const json: Json = {
    study: facts.study,
    series: facts.series,
    instance: facts.instance,
    class: facts.class,
    syntax: facts.syntax,
    head: facts.headBytes,
  };
  if (facts.number !== undefined) json.number = facts.number;
  if (facts.frames !== undefined) json.frames = facts.frames;
  if (facts.shape !== undefined) {
    const { rows, columns, samplesPerPixel, bitsAllocated, planar } = facts.shape;
    json.shape = [rows, columns, samplesPerPixel, bitsAllocated, planar ? 1 : 0];
  }
  if (facts.rank !== 0) json.rank = facts.rank;
  if (facts.source !== undefined) json.source = facts.source;
  if (facts.odd !== undefined && facts.odd.length > 0) json.odd = facts.odd;
  if (facts.readAs !== undefined) json.readAs = facts.readAs;
  if (facts.rejects !== undefined) json.rejects = facts.rejects;
  const { patient, study, series } = facts.about;
  if (patient !== undefined || study !== undefined || series !== undefined) json.about = { patient, study, series };
  return json;
}

/** undefined where the member is not in its form: then the object is an object and nothing more. */
export function instanceOfJson(value: unknown): InstanceFacts | undefined {
  if (!isObject(value)) return undefined;
  const { study, series, instance, syntax } = value;
  const sopClass = value.class;
  if (typeof study !== 'string' || typeof series !== 'string' || typeof instance !== 'string') return undefined;
  if (typeof sopClass !== 'string' || typeof syntax !== 'string' || !isCount(value.head)) return undefined;
  return {
    study,
    series,
    instance,
    class: sopClass,
    syntax,
    number: typeof value.number === 'string' ? value.number : undefined,
    headBytes: value.head,
    frames: isCount(value.frames) ? value.frames : undefined,
    shape: shapeOf(value.shape),
    rank: typeof value.rank === 'number' && Number.isSafeInteger(value.rank) ? value.rank : 0,
    source: typeof value.source === 'string' ? value.source : undefined,
    odd: textsOf(value.odd),
    rejects: rejectionOf(value.rejects),
    about: aboutOf(value.about),
    readAs: readAsOf(value.readAs),
  };
}

export function aboutOf(value: unknown): AboutInstance {
  const about = isObject(value) ? value : {};
  return {
    patient: attributesOf(about.patient),
    study: attributesOf(about.study),
    series: attributesOf(about.series),
  };
}

export function readAsOf(value: unknown): ReadAs | undefined {
  if (!isObject(value)) return undefined;
  const { maker, model, station } = value;
  const how = readHows.find((each) => each === value.how);
  if (typeof maker !== 'string' || typeof model !== 'string' || typeof station !== 'string' || how === undefined)
    return undefined;
  return { maker, model, station, declared: textsOf(value.declared) ?? [], read: textsOf(value.read) ?? [], how };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function shapeOf(value: unknown): InstanceShape | undefined {
  if (!Array.isArray(value) || value.length !== 5 || !value.every(isCount)) return undefined;
  const [rows = 0, columns = 0, samplesPerPixel = 0, bitsAllocated = 0, planar = 0] = value as number[];
  return { rows, columns, samplesPerPixel, bitsAllocated, planar: planar === 1 };
}

function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;
}

function rejectionOf(value: unknown): Rejection | undefined {
  if (!isObject(value) || typeof value.code !== 'string') return undefined;
  return { code: value.code, instances: textsOf(value.instances) ?? [] };
}

function attributesOf(value: unknown): Attributes | undefined {
  if (!isObject(value)) return undefined;
  const known = Object.entries(value).filter((each): each is [string, string] => typeof each[1] === 'string');
  return Object.fromEntries(known);
}
