// steps: what modalities say that they are doing or have done, beside what came of it.

import type { Archive, ProcedureStep } from '../../archive/index.ts';
import { defineCommand } from '../command.ts';
import { timeText } from '../say-sizes.ts';

/** Instances that are here of the series that a step names. */
async function countHere({ studies }: Archive, { tenant, series }: ProcedureStep): Promise<number> {
  let count = 0;
  for (const { seriesUid } of series) {
    const conditions = [{ field: 'seriesUid' as const, match: { kind: 'equals' as const, values: [seriesUid] } }];
    for await (const found of studies.series({ tenant, conditions })) count += found.instanceCount;
  }
  return count;
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
    for await (const step of archive.steps.list()) {
      const said = step.series.reduce((sum, each) => sum + each.instances, 0);
      const here = await countHere(archive, step);
      if (flags['open'] === true && step.state !== 'IN PROGRESS' && here >= said) continue;
      const { state, station, studies, changedMs } = step;
      const line = `${state}  ${station}  ${studies.join(' ')}  ${here} of ${said} here  ${timeText(changedMs)}`;
      terminal.out(json ? JSON.stringify({ ...step, said, here }) : line);
      await terminal.room();
    }
    return 0;
  },
});
