// Dates and times of DICOM (DA, TM, DT) as stretches of time: what is said to the hour means the whole hour.
//
// Keeps: digits only and always the same number of them, so that the order of texts is the order of times; days and months are checked to be some of a
// calendar, not that the month has the day. Forms of ACR-NEMA (2024.01.31, 10:30:00) are read as well.

/** From the first to the last microsecond that is meant: 8 digits of a date, 12 of a time, 20 of both. */
export type Moment = {
  readonly from: string;
  readonly to: string;
  /** Minutes that the clock is ahead of UTC, where it is said (DT). */
  readonly offsetMinutes: number | undefined;
};

const dateForm = /^(\d{4})(?:\.?(0[1-9]|1[0-2])(?:\.?(0[1-9]|[12]\d|3[01]))?)?$/;
const timeForm = /^([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(?:\.(\d{1,6}))?)?)?$/;
const dateTimeForm = /^(\d{4,14}(?:\.\d{1,6})?)([+-](?:0\d|1[0-4])[0-5]\d)?$/;

export function parseDate(text: string): Moment | undefined {
  const match = dateForm.exec(text.trim());
  if (match === null) return undefined;
  const [, year = '', month, day] = match;
  return {
    from: `${year}${month ?? '01'}${day ?? '01'}`,
    to: `${year}${month ?? '12'}${day ?? '31'}`,
    offsetMinutes: undefined,
  };
}

export function parseTime(text: string): Moment | undefined {
  const match = timeForm.exec(text.trim());
  if (match === null) return undefined;
  const [, hour = '', minute, second, fraction = ''] = match;
  return {
    from: `${hour}${minute ?? '00'}${second ?? '00'}${fraction.padEnd(6, '0')}`,
    // A minute can have a 61st second.
    to: `${hour}${minute ?? '59'}${second ?? '60'}${fraction.padEnd(6, '9')}`,
    offsetMinutes: undefined,
  };
}

export function parseDateTime(text: string): Moment | undefined {
  const match = dateTimeForm.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = '', offset] = match;
  const date = parseDate(digits.slice(0, 8));
  const time = digits.length > 8 ? parseTime(digits.slice(8)) : wholeDay;
  if (date === undefined || time === undefined) return undefined;
  const offsetMinutes = offset === undefined ? undefined : parseOffset(offset);
  return { from: date.from + time.from, to: date.to + time.to, offsetMinutes };
}

const wholeDay: Moment = { from: '000000000000', to: '235960999999', offsetMinutes: undefined };

/** Minutes of an offset from UTC such as +0800; undefined when it is none. */
export function parseOffset(text: string): number | undefined {
  const match = /^([+-])(\d{2})(\d{2})$/.exec(text.trim());
  if (match === null) return undefined;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return match[1] === '-' ? -minutes : minutes;
}

/** The 20 digits of a date and time, as they would be on a clock in UTC. */
export function inUtc(digits: string, offsetMinutes: number): string {
  const part = (start: number, end: number): number => Number(digits.slice(start, end));
  const at = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12) - offsetMinutes, part(12, 14));
  const moved = Number.isNaN(at) ? digits : new Date(at).toISOString().replace(/\D/g, '');
  return moved.slice(0, 14) + digits.slice(14);
}
