import { quoted, serverFailure } from '../exchange.js';

const roleName = /^[A-Za-z0-9\-_]{1,256}$/;
const serviceName = /^[a-z0-9]([a-z0-9\-_]{0,254}[a-z0-9])?$/;

/** Throws 500 where a rule's BindName cannot be a name, or its template asks for what the method does not map. */
export function requireBindName(template: string, bindType: string, known: ReadonlySet<string>): void {
  if (!expand(template, bindType, known, () => 'fake').isValid)
    throw serverFailure('Invalid Binding Rule: invalid BindName');
}

/** The name for one login, in which an absent claim is the empty text. Throws 500 where it cannot be a name. */
export function computeBindName(
  template: string,
  bindType: string,
  values: ReadonlyMap<string, string>,
  known: ReadonlySet<string>,
): string {
  const { name, isValid } = expand(template, bindType, known, (variable) => values.get(variable) ?? '');
  if (isValid) return name;
  throw serverFailure(`computed ${quoted(bindType)} bind name for bind target is invalid: ${quoted(name)}`);
}

/** Puts values in the place of each `${value.x}`; the name that comes of it is in lower case. */
function expand(
  template: string,
  bindType: string,
  known: ReadonlySet<string>,
  substitute: (variable: string) => string,
) {
  let [name, at, isTemplate] = ['', 0, false];
  for (let start = template.indexOf('${'); start >= 0; start = template.indexOf('${', at)) {
    name += template.slice(at, start);
    if (template[start - 1] === '$') {
      // A doubled dollar is an escape: no name can hold what it means.
      name += '${';
      at = start + 2;
      continue;
    }
    const { variable, end } = parseVariable(template, start + 2, known);
    name += substitute(variable);
    [at, isTemplate] = [end, true];
  }
  name += template.slice(at);
  if (isTemplate) name = name.toLowerCase();
  return { name, isValid: (bindType === 'service' ? serviceName : roleName).test(name) };
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
