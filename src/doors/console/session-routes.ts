// Routes of whoever logs in at a browser: in, out, who one is, one's own password and second factor.
//
// Invariants: a session is in a cookie that no script reads and no other site sends (HttpOnly, SameSite=Strict; Secure over TLS), new at every log-in; a request with a
// cookie that changes something comes from a page of ours, by its Origin; a wrong name, a wrong password and a wrong code are one answer.
// Left out on purpose: the pages themselves.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Archive, actionNames, mayDo, type Principal } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { errorAnswer } from './http-status.ts';

const cookieName = 'stele_session';
const cookieForm = /(?:^|; *)stele_session=([A-Za-z0-9_-]{43})(?:;|$)/;
const textCharsMax = 1024;

type Reached = (request: FastifyRequest) => Archive;

/** The session that a request shows, when the request may be believed to be its user's own. */
export function sessionOf({ headers, method }: FastifyRequest): string | undefined {
  const session = cookieForm.exec(headers.cookie ?? '')?.[1];
  const changes = method !== 'GET' && method !== 'HEAD';
  return session !== undefined && (!changes || isOfOurs(headers)) ? session : undefined;
}

/** A browser says where a page that sends something comes from; who says nothing is no browser, and has a cookie by no accident of ours. */
function isOfOurs({ origin, host }: FastifyRequest['headers']): boolean {
  if (origin === undefined || host === undefined) return false;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

export function addSessionRoutes(server: FastifyInstance, asVisitor: Reached): void {
  server.post('/api/login', async (request, reply) => {
    const { user, password, code } = textsOf(request.body, ['user', 'password'], ['code']);
    const { accounts } = asVisitor(request);
    const before = cookieForm.exec(request.headers.cookie ?? '')?.[1];
    const told = await accounts.logIn({ name: user, password, code, from: whenceOf(request), before });
    switch (told.kind) {
      case 'in':
        setCookie(request, reply, told.session);
        return reply.send({ ...factsOf(told.principal), mustChange: told.mustChange });
      case 'code-wanted':
        return reply.code(401).send({ codeWanted: true });
      case 'held':
        return held(reply, told.ms);
      case 'refused':
        return refused(reply);
    }
  });
  server.post('/api/logout', async (request, reply) => {
    const session = sessionOf(request);
    if (session !== undefined) await asVisitor(request).accounts.logOut(session);
    setCookie(request, reply, undefined);
    return reply.code(204).send();
  });
  server.get('/api/session', async (request, reply) => {
    const session = sessionOf(request);
    const caller =
      session === undefined ? undefined : await asVisitor(request).accounts.ofSession(session, whenceOf(request));
    return caller === undefined ? refused(reply) : reply.send(factsOf(caller));
  });
  server.post('/api/password', async (request, reply) => {
    const { user, password, next } = textsOf(request.body, ['user', 'password', 'next'], []);
    const from = whenceOf(request);
    const told = await asVisitor(request).accounts.changePassword({ name: user, password, next, from });
    if (told === 'held') return held(reply, 60_000);
    return told === 'refused' ? refused(reply) : reply.code(204).send();
  });
  server.post('/api/factor', async (request, reply) => {
    const { user, password } = textsOf(request.body, ['user', 'password'], []);
    const url = await asVisitor(request).accounts.beginFactor({ name: user, password, from: whenceOf(request) });
    return url === undefined ? refused(reply) : reply.send({ url });
  });
  server.post('/api/factor/confirm', async (request, reply) => {
    const { user, password, code } = textsOf(request.body, ['user', 'password', 'code'], []);
    const from = whenceOf(request);
    const recovery = await asVisitor(request).accounts.confirmFactor({ name: user, password, code, from });
    return recovery === undefined ? refused(reply) : reply.send({ recovery });
  });
}

function whenceOf({ socket }: FastifyRequest): { readonly door: string; readonly address: string | undefined } {
  return { door: 'console', address: socket.remoteAddress };
}

function factsOf({ name, rights, tenant }: Principal): object {
  return { user: name, tenant, actions: actionNames.filter((action) => mayDo(rights, action)) };
}

function setCookie({ socket }: FastifyRequest, reply: FastifyReply, session: string | undefined): void {
  const secure = 'encrypted' in socket ? '; Secure' : '';
  const ends = session === undefined ? '; Max-Age=0' : '';
  reply.header('set-cookie', `${cookieName}=${session ?? ''}; Path=/; HttpOnly; SameSite=Strict${secure}${ends}`);
}

/** Without `www-authenticate`: a browser would ask by a window of its own. */
function refused(reply: FastifyReply): FastifyReply {
  return reply.code(401).send(errorAnswer(new ArchiveError('ACCESS_DENIED', 'not logged in')).body);
}

function held(reply: FastifyReply, ms: number): FastifyReply {
  const error = new ArchiveError('BUSY', 'too many log-ins were wrong: none is taken for a while');
  return reply
    .code(429)
    .header('retry-after', String(Math.ceil(ms / 1000)))
    .send(errorAnswer(error).body);
}

/** Fields of a body, each a text of bounded length, and no other. ARGUMENT_INVALID. */
function textsOf<Wanted extends string, Other extends string>(
  body: unknown,
  wanted: readonly Wanted[],
  others: readonly Other[],
): Record<Wanted, string> & Partial<Record<Other, string>> {
  const given = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const known: readonly string[] = [...wanted, ...others];
  const isFit =
    wanted.every((name) => name in given) &&
    Object.entries(given).every(
      ([name, value]) => known.includes(name) && typeof value === 'string' && value.length <= textCharsMax,
    );
  if (!isFit) throw new ArchiveError('ARGUMENT_INVALID', `the body has the texts ${known.join(', ')}`);
  return given as Record<Wanted, string> & Partial<Record<Other, string>>;
}
