// Routes of imaging: priors for an order, and which studies are not complete.
//
// Invariants: whoever asks has logged in, and the archive decides what they may; a body is checked field by field before anything is done; no answer names a
// patient.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Archive } from '../../archive/index.ts';
import { ArchiveError, defaultTenant } from '../../base/index.ts';

const stepsMax = 1000;
const textCharsMax = 64;

export function addImagingRoutes(
  server: FastifyInstance,
  archiveOf: (request: FastifyRequest) => Promise<Archive | undefined>,
  refuse: (reply: FastifyReply) => FastifyReply,
): void {
  server.post('/api/prefetch', async (request, reply) => {
    const archive = await archiveOf(request);
    if (archive === undefined) return refuse(reply);
    const text = textsOf(request.body);
    const patientId = text('patientId');
    if (patientId === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'an order names a patientId');
    const priors = await archive.prefetch.ask({
      tenant: defaultTenant,
      patientId,
      issuer: text('issuer'),
      modality: text('modality'),
      bodyPart: text('bodyPart'),
      study: text('study'),
      to: text('to'),
    });
    return reply.code(202).send({ priors });
  });
  server.get('/api/steps', async (request, reply) => {
    const archive = await archiveOf(request);
    if (archive === undefined) return refuse(reply);
    const steps: object[] = [];
    let isAll = true;
    for await (const { step, said, missing } of archive.steps.open()) {
      isAll = steps.length < stepsMax;
      if (!isAll) break;
      steps.push({ ...step, said, missing });
    }
    return reply.send({ steps, isAll });
  });
}

/** Texts of a body by name. ARGUMENT_INVALID for a body that is no object, and for what is no short text. */
function textsOf(body: unknown): (name: string) => string | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ArchiveError('ARGUMENT_INVALID', 'the body is a JSON object');
  const fields = body as Readonly<Record<string, unknown>>;
  return (name) => {
    const value = fields[name];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string' || value.length > textCharsMax)
      throw new ArchiveError('ARGUMENT_INVALID', `${name} is a text of at most ${textCharsMax} characters`);
    return value;
  };
}
