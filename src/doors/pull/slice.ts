// Slices of an archive: which studies one query asks for, when an answer may have been cut off, and how to ask for less at a time.
//
// Invariants: pure. A study fits a slice when the source should have answered it; parts of a slice may overlap and never leave out a study that has
// the attribute they go by. An answer that is suspiciously round is never taken for whole.
// Left out on purpose: asking (ask-whole.ts).

export type SourceStudy = {
  readonly studyUid: string;
  /** Eight digits; undefined where the source says none. */
  readonly date: string | undefined;
  readonly time: string | undefined;
  readonly modalities: readonly string[];
  readonly patientId: string;
  readonly accession: string;
  /** Instances that the source counts, where it does. */
  readonly instanceCount: number | undefined;
  /** SOP classes that the source names, where it does. */
  readonly classes: readonly string[];
};

export type Slice = {
  /** Both ends included; an open end is undefined. Without `dates`, of any date and of none. */
  readonly dates?: { readonly from: string | undefined; readonly to: string | undefined } | undefined;
  readonly times?: { readonly from: string; readonly to: string | undefined } | undefined;
  readonly modality?: string | undefined;
  readonly patient?: { readonly prefix: string; readonly exact: boolean } | undefined;
};

export type Answered = { readonly studies: readonly SourceStudy[]; readonly limited: boolean };

/** In the order in which they are tried. */
export const dimensions = ['time', 'modality', 'patient'] as const;
export type Dimension = (typeof dimensions)[number];

/** Below this a round number is chance. */
const roundMin = 100;
const patientPrefixCharsMax = 12;
const modalities =
  'CR CT DX MR US XA RF MG NM PT OT SC PX IO ES GM SM XC ECG EPS HD OCT OP OPT OPM IVUS IVOCT RG TG BMD SR KO PR SEG REG AU DOC RTIMAGE RTDOSE RTSTRUCT RTPLAN RTRECORD LS BI DG ST VL TH AR KER LEN OAM RWV SMR SRF VA M3D OSS PLAN FID CFM'.split(
    ' ',
  );
const idCharacters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Whether an answer of so many may have been cut off: 100, 200, 500, 1000, 1024, 2000, 4096, ... or a limit that the source was seen to have. */
export function isSuspicious(count: number, limits: ReadonlySet<number>): boolean {
  if (limits.has(count)) return true;
  if (count < roundMin) return false;
  return count % 100 === 0 || (count >= 128 && (count & (count - 1)) === 0);
}

export function fitsSlice(study: SourceStudy, slice: Slice): boolean {
  const { dates, times, modality, patient } = slice;
  if (dates !== undefined) {
    if (study.date === undefined) return false;
    if (dates.from !== undefined && study.date < dates.from) return false;
    if (dates.to !== undefined && study.date > dates.to) return false;
  }
  if (times !== undefined) {
    if (study.time === undefined) return false;
    const time = study.time.slice(0, 6).padEnd(6, '0');
    if (time < times.from || (times.to !== undefined && time > times.to)) return false;
  }
  if (modality !== undefined && study.modalities.length > 0 && !study.modalities.includes(modality)) return false;
  if (patient === undefined) return true;
  const [id, prefix] = [study.patientId.toUpperCase(), patient.prefix.toUpperCase()];
  return patient.exact ? id === prefix : id.startsWith(prefix);
}

/** The same studies in parts; none where the slice cannot be narrowed any more along this dimension. */
export function splitSlice(slice: Slice, by: Dimension, seen: readonly SourceStudy[]): Slice[] {
  switch (by) {
    case 'time':
      return isOneDay(slice) ? timesWithin(slice.times).map((times) => ({ ...slice, times })) : [];
    case 'modality': {
      if (slice.modality !== undefined) return [];
      const all = new Set([...modalities, ...seen.flatMap((study) => study.modalities)]);
      return [...all].map((modality) => ({ ...slice, modality }));
    }
    case 'patient':
      return patientsWithin(slice, seen).map((patient) => ({ ...slice, patient }));
  }
}

function isOneDay({ dates }: Slice): boolean {
  return dates?.from !== undefined && dates.from === dates.to;
}

/** A day in hours, an hour in ten minutes, ten minutes in single ones; a part ends where the next begins, for seconds may have fractions. */
function timesWithin(times: Slice['times']): NonNullable<Slice['times']>[] {
  const from = times === undefined ? 0 : minuteOf(times.from);
  const end = times?.to === undefined ? minutesOfDay : minuteOf(times.to);
  const length = end - from;
  const step = length > 60 ? 60 : length > 10 ? 10 : 1;
  if (length <= 1) return [];
  const parts: NonNullable<Slice['times']>[] = [];
  for (let minute = from; minute < end; minute += step) {
    const to = minute + step;
    parts.push({ from: timeOf(minute), to: to >= minutesOfDay ? undefined : timeOf(to) });
  }
  return parts;
}

const minutesOfDay = 24 * 60;

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(2, 4));
}

function timeOf(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}${two(minute % 60)}00`;
}

function patientsWithin({ patient }: Slice, seen: readonly SourceStudy[]): NonNullable<Slice['patient']>[] {
  const prefix = patient?.prefix ?? '';
  if (patient?.exact === true || prefix.length >= patientPrefixCharsMax) return [];
  const next = new Set(idCharacters);
  for (const { patientId } of seen) {
    const character = patientId.slice(prefix.length, prefix.length + 1);
    // Wildcards and the backslash cannot be asked for; a source compares ids in one case or in both.
    if (/^[^\\*?]$/.test(character)) next.add(character);
  }
  const longer = [...next].map((character) => ({ prefix: prefix + character, exact: false }));
  return prefix === '' ? longer : [{ prefix, exact: true }, ...longer];
}
