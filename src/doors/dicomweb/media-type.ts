// Media types: of what comes (Content-Type), and of what may go (Accept, and the query parameter `accept` that stands for it).
//
// Invariants: names are lower case, values as they were written without their quotes; what cannot be read as a media type is passed over in an Accept,
// and undefined in a Content-Type; ranges come in the order in which they are wanted: by q, then as written; those with q=0 are left out.

export type MediaType = { readonly type: string; readonly params: ReadonlyMap<string, string> };
export type MediaRange = MediaType & { readonly q: number };

export const rangesMax = 64;
const typeForm = /^[a-z0-9!#$&^_.+*-]{1,127}\/[a-z0-9!#$&^_.+*-]{1,127}$/;

export function parseMediaType(text: string): MediaType | undefined {
  const [first = '', ...rest] = splitOutsideQuotes(text, ';');
  const type = first.trim().toLowerCase();
  if (!typeForm.test(type)) return undefined;
  const params = new Map<string, string>();
  for (const each of rest) {
    const equals = each.indexOf('=');
    if (equals < 0) continue;
    const name = each.slice(0, equals).trim().toLowerCase();
    if (!params.has(name)) params.set(name, unquoted(each.slice(equals + 1).trim()));
  }
  return { type, params };
}

/** Everything is taken where nothing is said. */
export function parseAccept(header: string | undefined, asked: string | null): readonly MediaRange[] {
  // In a query a plus that is not escaped has become a space; no media type has one.
  const text = asked === null ? header : asked.replace(/(?<=\/[a-z0-9.-]+) (?=[a-z])/gi, '+');
  if (text === undefined || text.trim() === '') return [{ type: '*/*', params: new Map(), q: 1 }];
  const ranges: MediaRange[] = [];
  for (const each of splitOutsideQuotes(text, ',').slice(0, rangesMax)) {
    const media = parseMediaType(each);
    if (media === undefined) continue;
    const q = Number(media.params.get('q') ?? '1');
    if (q > 0 && q <= 1) ranges.push({ ...media, q });
  }
  return ranges.toSorted((one, other) => other.q - one.q);
}

/** The type of a multipart's parts, or of what stands alone. */
export function partTypeOf({ type, params }: MediaType): { readonly multipart: boolean; readonly type: string } {
  if (type !== 'multipart/related' && type !== 'multipart/*') return { multipart: false, type };
  return { multipart: true, type: (params.get('type') ?? '*/*').toLowerCase() };
}

/** Whether a range such as `image/*` takes a type. */
export function takesType(range: string, type: string): boolean {
  return range === '*/*' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));
}

function unquoted(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}
