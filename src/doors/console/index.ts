// console: HTTP. Says what is up, for machines and for people; the console itself comes on top of it.
//
// `openConsole` resolves when it answers; `close` when what was under way is answered, within its limit. Routes: `/`, `/healthz`, `/metrics`,
// `/api/status` (Bearer or Basic), `/api/openapi.json`, `/setup` (once, with the secret of a first start).

export type { ConsoleDoor, ConsoleOptions } from './console-door.ts';
export { openConsole } from './console-door.ts';
