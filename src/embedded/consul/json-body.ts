import { badRequest } from './exchange.js';

/** The parsed body; throws 400 `<prefix>: <why>` as Go's decoder says it. */
export function parseJsonBody(body: Buffer, prefix: string): unknown {
  const text = body.toString('utf8');
  if (text.trim() === '') throw badRequest(`${prefix}: EOF`);
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(`${prefix}: ${goSyntaxError(text)}`);
  }
}

/** Go names the first character that cannot be, or the unexpected end. */
function goSyntaxError(text: string): string {
  let longest = 0;
  for (let end = 1; end <= text.length; end += 1) {
    if (isPrefixOfJson(text.slice(0, end))) longest = end;
    else break;
  }
  if (longest === text.length) return 'unexpected EOF';
  const culprit = text[longest] ?? '';
  const where = longest === 0 ? 'looking for beginning of value' : placeOf(text.slice(0, longest));
  return `invalid character '${culprit}' ${where}`;
}

function placeOf(before: string): string {
  const last = before.trimEnd().at(-1) ?? '';
  if (last === '{' || last === ',') return 'looking for beginning of object key string';
  return last === ':' || last === '[' ? 'looking for beginning of value' : 'after object key:value pair';
}

/** Whether some continuation could make the text JSON. Good enough for messages. */
function isPrefixOfJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    // From Node 22 on the line and the column stand behind the position.
    return (
      /end of JSON input|Unterminated|Expected .* at position \d+( \(line \d+ column \d+\))?$/.test(
        message,
      ) && isAtEnd(message, text.length)
    );
  }
}

function isAtEnd(message: string, length: number): boolean {
  const position = /position (\d+)/.exec(message);
  return position === null || Number(position[1]) >= length;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a field by its Go name, which JSON keys match in any case. */
export function fieldOf(object: JsonObject, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const wanted = name.toLowerCase();
  const key = Object.keys(object).find((candidate) => candidate.toLowerCase() === wanted);
  return key === undefined ? undefined : object[key];
}
