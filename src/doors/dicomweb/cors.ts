// Cross-origin requests (Fetch, "CORS protocol"): which pages of other origins a browser lets ask us.
//
// Invariant: nobody is let in who is not in the list; `*` in it stands for every origin.

import type { IncomingMessage } from 'node:http';

const methods = 'GET, HEAD, POST, DELETE, OPTIONS';
const exposed = 'Content-Length, Content-Location, Content-Range, ETag, Warning, WWW-Authenticate';
const preflightSeconds = 600;

export function corsOf(request: IncomingMessage, origins: readonly string[]): Readonly<Record<string, string>> {
  const { origin } = request.headers;
  const vary = origins.length > 0 ? { vary: 'origin' } : {};
  const isLetIn = origin !== undefined && (origins.includes('*') || origins.includes(origin));
  if (!isLetIn) return vary;
  const allowed = { ...vary, 'access-control-allow-origin': origin, 'access-control-expose-headers': exposed };
  if (request.method !== 'OPTIONS') return allowed;
  const asked = request.headers['access-control-request-headers'];
  const named = typeof asked === 'string' && /^[A-Za-z0-9, _-]{1,1024}$/.test(asked) ? asked : 'authorization, accept';
  return {
    ...allowed,
    'access-control-allow-methods': methods,
    'access-control-allow-headers': named,
    'access-control-max-age': String(preflightSeconds),
  };
}
