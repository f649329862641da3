// steps: what modalities say that they are doing or have done, beside what came of it.

import type { Archive, JudgedStep } from '../../archive/index.ts';
import { defineCommand } from '../command.ts';
import { timeText } from '../say-sizes.ts';

async function* judgedSteps({ steps }: Archive): AsyncGenerator<JudgedStep> {
  for await (const step of steps.list()) yield steps.judge(step);
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
