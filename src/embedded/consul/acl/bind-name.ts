import { quoted, serverFailure } from '../exchange.js';

/** A name with `${value.x}` in it, cut into texts and variables. */
type Part = { readonly text: string } | { readonly variable: string };

const roleName = /^[A-Za-z0-9\-_]{1,256}$/;
const serviceName = /^[a-z0-9]([a-z0-9\-_]{0,254}[a-z0-9])?$/;

/** Throws 500 where a rule's name is none, or its template asks for what the method does not map. */
export function requireBindName(template: string, bindType: string, known: ReadonlySet<string>): void {
  const parts = parseTemplate(template, known);
  const sample = parts.map((part) => ('text' in part ? part.text : 'fake')).join('');
  if (!isBindName(parts, sample, bindType)) throw serverFailure('Invalid Binding Rule: invalid BindName');
}

/** The name for one login; throws 500 where it is none. An absent claim is the empty text. */
export function computeBindName(
  template: string,
  bindType: string,
  values: ReadonlyMap<string, string>,
  known: ReadonlySet<string>,
): string {
  const parts = parseTemplate(template, known);
  const name = parts.map((part) => ('text' in part ? part.text : (values.get(part.variable) ?? ''))).join('');
  const computed = isTemplate(parts) ? name.toLowerCase() : name;
  if (isBindName(parts, name, bindType)) return computed;
  throw serverFailure(
    `computed ${quoted(bindType)} bind name for bind target is invalid: ${quoted(computed)}`,
  );
}

function isBindName(parts: readonly Part[], name: string, bindType: string): boolean {
  const text = isTemplate(parts) ? name.toLowerCase() : name;
  return (bindType === 'service' ? serviceName : roleName).test(text);
}

function isTemplate(parts: readonly Part[]): boolean {
  return parts.some((part) => 'variable' in part);
}

function parseTemplate(template: string, known: ReadonlySet<string>): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < template.length) {
    const start = template.indexOf('${', at);
    if (start < 0) {
      parts.push({ text: template.slice(at) });
      break;
    }
    parts.push({ text: template.slice(at, start) });
    // A doubled dollar is an escape: no name can hold what it stands for.
    if (template[start - 1] === '$') {
      parts.push({ text: '${' });
      at = start + 2;
      continue;
    }
    const { variable, end } = parseVariable(template, start + 2, known);
    parts.push({ variable });
    at = end;
  }
  return parts;
}

function parseVariable(template: string, from: number, known: ReadonlySet<string>) {
  const match = /\s*([A-Za-z_][A-Za-z0-9_.-]*)?\s*/y;
  match.lastIndex = from;
  const found = match.exec(template);
  const name = found?.[1] ?? '';
  const position = from + (found?.[0].search(/\S/) ?? 0) + 1;
  const next = template[match.lastIndex];
  if (name === '')
    throw invalid(
      `parse error at 1:${match.lastIndex + 1}: expected expression but found ${foundText(next)}`,
    );
  if (next === '(') throw invalid(`1:${position}: unknown function called: ${name}`);
  if (next !== '}')
    throw invalid(`parse error at 1:${match.lastIndex + 1}: expected "}" but found ${foundText(next)}`);
  const variable = /^value\.(.+)$/s.exec(name)?.[1];
  if (variable === undefined || !known.has(variable))
    throw invalid(`1:${position}: unknown variable accessed: ${name}`);
  return { variable, end: match.lastIndex + 1 };
}

function foundText(character: string | undefined): string {
  return character === undefined ? 'end of string' : quoted(character);
}

function invalid(why: string) {
  return serverFailure(`Invalid Binding Rule: invalid BindName: ${why}`);
}
