import { compareText } from '../model/compare-text.js';
import { definedFields } from '../model/defined-fields.js';
import type { Access, ClaimValue, HeaderMatch, HttpPermission, JwtRequirement } from '../model/intention.js';
import { isPlainPath, type PlainPath, parsePlainPathRegex, toPlainPathRegex } from '../model/plain-path.js';
import { toExpression } from '../model/re2.js';

/**
 * The algebra of access. Sets of permissions are compared by atoms (one method, one path matcher, one set of headers, one
 * token). `covers` can return false although the truth is yes (two regular expressions), but never the reverse: a change
 * may count as narrowing without being one, and no narrowing is missed.
 */

/** Everything that either access allows, in canonical form. */
export function union(a: Access | undefined, b: Access | undefined): Access | undefined {
  if (a === undefined || a.kind === 'deny') return b === undefined ? a : canonical(b);
  if (b === undefined || b.kind === 'deny') return canonical(a);
  if (a.kind === 'allow' || b.kind === 'allow') return { kind: 'allow' };
  return canonical({ kind: 'http', permissions: [...a.permissions, ...b.permissions] });
}

/** Sorted, without duplicates and without permissions that another one covers, so that equal access looks equal. */
export function canonical(access: Access): Access {
  return access.kind === 'http' ? formOf(access) : { kind: access.kind };
}

type HttpAccess = Extract<Access, { readonly kind: 'http' }>;

/** Cached canonical forms. Accesses are immutable, and thousands of edges share the access of one rule. */
const forms = new WeakMap<HttpAccess, HttpAccess>();
const digests = new WeakMap<HttpAccess, string>();

function formOf(access: HttpAccess): HttpAccess {
  const known = forms.get(access);
  if (known !== undefined) return known;
  const form: HttpAccess = { kind: 'http', permissions: canonicalPermissions(access.permissions) };
  forms.set(access, form).set(form, form);
  return form;
}

function canonicalPermissions(permissions: readonly HttpPermission[]): readonly HttpPermission[] {
  const all = permissions.map(normalise);
  if (all.length < 2) return all;
  const merged = mergeMethods(all);
  const kept = merged.filter(
    (permission, index) =>
      !merged.some(
        (other, at) =>
          permissionCovers(other, permission) && (at < index || !permissionCovers(permission, other)),
      ),
  );
  return kept.toSorted((x, y) => compareText(textOf(x), textOf(y)));
}

export function sameAccess(a: Access | undefined, b: Access | undefined): boolean {
  return a === b || digest(a) === digest(b);
}

/** A stable text of an access, for comparison and to record what was written. */
export function digest(access: Access | undefined): string {
  if (access === undefined) return 'none';
  if (access.kind !== 'http') return access.kind;
  const form = formOf(access);
  const known = digests.get(form);
  if (known !== undefined) return known;
  const text = `http ${form.permissions.map(textOf).join(' ')}`;
  digests.set(form, text);
  return text;
}

/** Whether `outer` allows everything that `inner` allows. */
export function covers(outer: Access | undefined, inner: Access | undefined): boolean {
  if (inner === undefined || inner.kind === 'deny') return true;
  if (outer === undefined || outer.kind === 'deny') return false;
  if (outer.kind === 'allow') return true;
  if (inner.kind === 'allow') return false;
  if (formOf(outer) === formOf(inner)) return true;
  const candidates = formOf(outer).permissions;
  return atomsOf(formOf(inner)).every((atom) =>
    candidates.some((candidate) => permissionCovers(candidate, atom)),
  );
}

/** Whether a change from `before` to `after` removes access. */
export function narrows(before: Access | undefined, after: Access | undefined): boolean {
  return !covers(after, before);
}

/** Whether a change from `before` to `after` adds access. */
export function widens(before: Access | undefined, after: Access | undefined): boolean {
  return !covers(before, after);
}

/** A lower bound of what both allow; never more than either. */
export function intersection(a: Access | undefined, b: Access | undefined): Access | undefined {
  if (covers(a, b)) return b;
  if (covers(b, a)) return a;
  if (a?.kind !== 'http' || b?.kind !== 'http') return undefined;
  const permissions = [
    ...atomsOf(a).filter((permission) => covers(b, { kind: 'http', permissions: [permission] })),
    ...atomsOf(b).filter((permission) => covers(a, { kind: 'http', permissions: [permission] })),
  ];
  return permissions.length === 0 ? undefined : canonical({ kind: 'http', permissions });
}

/** `a` without the part that `b` covers. More may stay than the true difference, if `b` covers only a part of an atom. */
export function without(a: Access | undefined, b: Access | undefined): Access | undefined {
  if (a === undefined || covers(b, a)) return undefined;
  if (a.kind !== 'http' || b?.kind !== 'http') return a;
  const isCovered = (atom: HttpPermission) => covers(b, { kind: 'http', permissions: [atom] });
  // Whole where nothing of it is covered, so that the rest looks as a rule writes it.
  const permissions = formOf(a)
    .permissions.flatMap((each) => (each.methods ?? [undefined]).map((method) => withMethod(each, method)))
    .flatMap((part) => {
      const atoms = atomsOf({ kind: 'http', permissions: [part] });
      return atoms.some(isCovered) ? atoms.filter((atom) => !isCovered(atom)) : part;
    });
  return canonical({ kind: 'http', permissions });
}

/** The properties of a request that an access depends on. */
export interface HttpRequestShape {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The jwt-provider and the claims of the verified token in the request. */
  readonly token?: JwtRequirement;
}

/** So many expressions of one access are judged. Others may have written them, and each takes time. */
const MAX_EXPRESSIONS = 100;

/** Whether the whole text matches the expression; undefined if that cannot be judged here. */
type Matches = (regex: string, text: string) => boolean | undefined;

/**
 * Whether Envoy allows the request if it enforces this access (for `explain` and tests); undefined if that depends on an
 * expression that cannot be judged here.
 */
export function admits(access: Access | undefined, request: HttpRequestShape): boolean | undefined {
  if (access === undefined || access.kind === 'deny') return false;
  if (access.kind === 'allow') return true;
  // Envoy's path matchers look at the path without its query.
  const shape = { ...request, path: request.path.replace(/[?#].*$/s, '') };
  let judged = 0;
  const matches: Matches = (regex, text) => {
    if (parsePlainPathRegex(regex) !== undefined) return wholeOf(regex).test(text);
    return ++judged > MAX_EXPRESSIONS ? undefined : toExpression(regex)?.matches(text);
  };
  return not(all(access.permissions.map(normalise), (each) => not(permits(each, shape, matches))));
}

function permits(
  { methods, pathExact, pathPrefix, pathRegex, headers = [], jwt }: HttpPermission,
  { method, path, headers: sent = {}, token }: HttpRequestShape,
  matches: Matches,
): boolean | undefined {
  if (methods !== undefined && !methods.includes(method)) return false;
  if (pathExact !== undefined && path !== pathExact) return false;
  if (pathPrefix !== undefined && !path.startsWith(pathPrefix)) return false;
  if (jwt !== undefined && !requires(token, jwt)) return false;
  return all(
    [
      () => pathRegex === undefined || matches(pathRegex, path),
      ...headers.map((match) => () => headerMatches(match, sent, matches)),
    ],
    (holds) => holds(),
  );
}

/** False if any is false; undefined if any is then undefined. */
function all<T>(items: readonly T[], holds: (item: T) => boolean | undefined): boolean | undefined {
  let isUnclear = false;
  for (const item of items) {
    const held = holds(item);
    if (held === false) return false;
    isUnclear ||= held === undefined;
  }
  return isUnclear ? undefined : true;
}

function not(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value;
}

/** In Envoy a missing header matches only a condition on its absence, also with `invert`. */
function headerMatches(
  match: HeaderMatch,
  headers: Readonly<Record<string, string>>,
  matches: Matches,
): boolean | undefined {
  const name = match.name.toLowerCase();
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) return match.invert === true && match.present === true;
  const plain =
    (match.exact === undefined || value === match.exact) &&
    (match.prefix === undefined || value.startsWith(match.prefix)) &&
    (match.suffix === undefined || value.endsWith(match.suffix)) &&
    (match.regex === undefined || matches(match.regex, value));
  return match.invert === true ? not(plain) : plain;
}

function wholeOf(regex: string): RegExp {
  return new RegExp(`^(?:${regex})$`);
}

function normalise(permission: HttpPermission): HttpPermission {
  const methods =
    permission.methods === undefined || permission.methods.length === 0
      ? undefined
      : [...new Set(permission.methods)].toSorted();
  const headers =
    permission.headers === undefined || permission.headers.length === 0
      ? undefined
      : [...new Map(permission.headers.map(headerForm).map((each) => [JSON.stringify(each), each])).entries()]
          .toSorted(([x], [y]) => compareText(x, y))
          .map(([, each]) => each);
  return {
    ...definedFields({
      methods,
      pathExact: permission.pathExact,
      pathPrefix: permission.pathPrefix,
      pathRegex: permission.pathRegex,
      headers,
    }),
    ...(permission.jwt === undefined ? {} : { jwt: jwtForm(permission.jwt) }),
  };
}

/** All claims must match, so their order and repetition are irrelevant. */
function jwtForm({ provider, verifyClaims }: JwtRequirement): JwtRequirement {
  const claims = new Map(
    verifyClaims.map(({ path, value }): [string, ClaimValue] => [
      claimText({ path, value }),
      { path, value },
    ]),
  );
  return {
    provider,
    verifyClaims: [...claims].toSorted(([x], [y]) => compareText(x, y)).map(([, claim]) => claim),
  };
}

/** Whether `strict` requires everything that `lax` requires: a token of the same provider with at least the same claims. */
function requires(strict: JwtRequirement | undefined, lax: JwtRequirement): boolean {
  if (strict?.provider !== lax.provider) return false;
  const asked = new Set(strict.verifyClaims.map(claimText));
  return lax.verifyClaims.every((claim) => asked.has(claimText(claim)));
}

function claimText({ path, value }: ClaimValue): string {
  return JSON.stringify([path, value]);
}

/** One order of fields, and no `false`: Consul keeps neither. */
function headerForm(match: HeaderMatch): HeaderMatch {
  return {
    name: match.name,
    ...(match.present === true ? { present: true } : {}),
    ...definedFields({ exact: match.exact, prefix: match.prefix, suffix: match.suffix, regex: match.regex }),
    ...(match.invert === true ? { invert: true } : {}),
  };
}

/** Two permissions that differ in their methods alone are one. */
function mergeMethods(permissions: readonly HttpPermission[]): HttpPermission[] {
  const byRest = new Map<string, HttpPermission>();
  for (const permission of permissions) {
    const { methods, ...rest } = permission;
    const key = textOf(rest);
    const known = byRest.get(key);
    if (known === undefined) byRest.set(key, permission);
    else if (known.methods === undefined || methods === undefined) byRest.set(key, rest);
    else byRest.set(key, normalise({ ...rest, methods: [...known.methods, ...methods] }));
  }
  return [...byRest.values()];
}

function permissionCovers(outer: HttpPermission, inner: HttpPermission): boolean {
  if (outer.methods !== undefined) {
    if (inner.methods === undefined) return false;
    if (!inner.methods.every((method) => outer.methods?.includes(method))) return false;
  }
  // The inner permission must require every header that the outer one requires.
  const innerHeaders = new Set((inner.headers ?? []).map((header) => JSON.stringify(header)));
  if (!(outer.headers ?? []).every((header) => innerHeaders.has(JSON.stringify(header)))) return false;
  if (outer.jwt !== undefined && !requires(inner.jwt, outer.jwt)) return false;
  return pathCovers(outer, inner);
}

function pathCovers(outer: HttpPermission, inner: HttpPermission): boolean {
  if (outer.pathExact !== undefined) return inner.pathExact === outer.pathExact;
  if (outer.pathRegex !== undefined && inner.pathRegex === outer.pathRegex) return true;
  const plain = inner.pathRegex === undefined ? undefined : parsePlainPathRegex(inner.pathRegex);
  if (plain?.kind === 'path') return partsOf(plain).every((part) => pathCovers(outer, part));
  if (outer.pathRegex !== undefined) {
    const form = parsePlainPathRegex(outer.pathRegex);
    if (form === undefined) return false;
    if (inner.pathExact !== undefined) return wholeOf(outer.pathRegex).test(inner.pathExact);
    return plain !== undefined && plainCovers(form, plain);
  }
  if (outer.pathPrefix === undefined) return true;
  const start = inner.pathExact ?? inner.pathPrefix ?? plain?.text;
  return start?.startsWith(outer.pathPrefix) ?? false;
}

/** Whether every path of a plain prefix is one of the plain path. */
function plainCovers({ kind, text }: PlainPath, { text: prefix }: PlainPath): boolean {
  const rest = prefix.slice(kind === 'path' ? text.length : text.lastIndexOf('/'));
  return (
    prefix.startsWith(kind === 'path' ? `${text}/` : text) && isPlainPath({ kind: 'prefix', text: rest })
  );
}

/** A path and what lies under it are the path alone and a prefix. */
function partsOf({ text }: PlainPath): readonly HttpPermission[] {
  const pathRegex = toPlainPathRegex({ kind: 'prefix', text: `${text}/` });
  return [{ pathExact: text }, ...(pathRegex === undefined ? [] : [{ pathRegex }])];
}

/** The same permissions in parts that one permission of another access must cover whole: by method, and by path. */
function atomsOf({ permissions }: HttpAccess): readonly HttpPermission[] {
  return permissions.flatMap((permission) => {
    const { pathRegex, ...rest } = permission;
    const plain = pathRegex === undefined ? undefined : parsePlainPathRegex(pathRegex);
    const parts =
      plain?.kind === 'path' ? partsOf(plain).map((part) => ({ ...rest, ...part })) : [permission];
    return (permission.methods ?? [undefined]).flatMap((method) =>
      parts.map((part) => withMethod(part, method)),
    );
  });
}

/** The access without the paths that are not plain, but for those that are written out. */
export function plainPart(access: Access): Access {
  if (access.kind !== 'http') return access;
  const permissions = access.permissions.flatMap(({ pathPrefix, ...rest }) => {
    if (pathPrefix === undefined) return [rest];
    const pathRegex = toPlainPathRegex({ kind: 'prefix', text: pathPrefix });
    return pathRegex === undefined ? [] : [{ ...rest, pathRegex }];
  });
  return canonical({ kind: 'http', permissions });
}

function withMethod(permission: HttpPermission, method: string | undefined): HttpPermission {
  return method === undefined ? permission : { ...permission, methods: [method] };
}

function textOf(permission: HttpPermission): string {
  return JSON.stringify([
    permission.pathExact ?? null,
    permission.pathPrefix ?? null,
    permission.pathRegex ?? null,
    permission.headers ?? null,
    permission.methods ?? null,
    // Absent without a JWT, so that texts from versions without JWT requirements still compare equal.
    ...(permission.jwt === undefined ? [] : [permission.jwt]),
  ]);
}
