// Days of study dates, newest first, with empty stretches passed over.
//
// Invariants: every day of the range is visited unless the source said that a stretch around it holds nothing; the walk begins again at any day.
// Texts are DICOM's eight digits, which compare as times do.

export const firstDay = '19000101';
/** Days without a study in a row before a longer stretch is asked for. */
const emptyDaysMin = 4;
const stretchDaysMax = 4096;
const dayMs = 86_400_000;

/** Whether it is a day of the calendar. */
export function isDay(text: string): boolean {
  return /^\d{8}$/.test(text) && dayOfMs(msOfDay(text)) === text;
}

export function dayOfMs(ms: number): string {
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
}

export function dayBefore(day: string, days = 1): string {
  return dayOfMs(msOfDay(day) - days * dayMs);
}

function msOfDay(day: string): number {
  return Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}T00:00:00Z`);
}

export type DayVisits = {
  /** Whether there is any study between two days, both included. */
  readonly any: (from: string, to: string) => Promise<boolean>;
  /** How many studies the day had; undefined ends the walk. */
  readonly visit: (day: string) => Promise<number | undefined>;
  /** A stretch that holds nothing was passed over: the walk is below this day now. */
  readonly passed: (day: string) => Promise<void>;
};

/** False when a visit ended it. */
export async function walkDays(
  range: { readonly from: string; readonly to: string },
  visits: DayVisits,
): Promise<boolean> {
  let day = range.to;
  let emptyDays = 0;
  let stretch = 1;
  while (day >= range.from) {
    if (stretch > 1 || emptyDays >= emptyDaysMin) {
      stretch = Math.max(2, stretch);
      const oldest = dayBefore(day, stretch - 1);
      const from = oldest < range.from ? range.from : oldest;
      if (await visits.any(from, day)) {
        // Somewhere in there: half as long next, until it is a single day.
        stretch = from === day ? 1 : Math.floor(stretch / 2);
        emptyDays = 0;
        if (stretch > 1) continue;
      } else {
        await visits.passed(from);
        day = dayBefore(from);
        stretch = Math.min(stretchDaysMax, stretch * 2);
        continue;
      }
    }
    const count = await visits.visit(day);
    if (count === undefined) return false;
    emptyDays = count === 0 ? emptyDays + 1 : 0;
    stretch = 1;
    day = dayBefore(day);
  }
  return true;
}
