// steps: what modalities say that they are doing or have done, beside what came of it.

import type { Archive, JudgedStep } from '../../archive/index.ts';
import { defineCommand } from '../command.ts';
import { timeText } from '../say-sizes.ts';

async function* judgedSteps({ steps }: Archive): AsyncGenerator<JudgedStep> {
  for await (const step of steps.list()) yield steps.judge(step);
}

/** Open steps that a status counts. */
const countedMax = 1000;

export type OpenSteps = { readonly inProgress: number; readonly short: number; readonly isAll: boolean };

/** How many steps are in progress, and of how many that ended something is not here; up to a thousand together. */
export async function countOpenSteps({ steps }: Archive): Promise<OpenSteps> {
  let [inProgress, short] = [0, 0];
  for await (const { step } of steps.open()) {
    if (step.state === 'IN PROGRESS') inProgress += 1;
    else short += 1;
    if (inProgress + short >= countedMax) return { inProgress, short, isAll: false };
  }
  return { inProgress, short, isAll: true };
}

export const steps = defineCommand({
  name: 'steps',
  usage: '[--open]',
  says: 'list performed procedure steps, and whether all that they name is here',
  args: { least: 0, most: 0 },
  flags: { open: { type: 'boolean', says: 'only those in progress, and those of which something is not here' } },
  where: 'archive',
  run: async ({ running, flags, terminal, json }) => {
    const { archive } = await running();
    const found = flags['open'] === true ? archive.steps.open() : judgedSteps(archive);
    for await (const { step, said, missing } of found) {
      const { state, station, studies, changedMs } = step;
      const here = said - missing;
      const line = `${state}  ${station}  ${studies.join(' ')}  ${here} of ${said} here  ${timeText(changedMs)}`;
      terminal.out(json ? JSON.stringify({ ...step, said, here }) : line);
      await terminal.room();
    }
    return 0;
  },
});
