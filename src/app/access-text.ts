import type { HeaderMatch, HttpPermission, JwtRequirement } from '../model/intention.js';
import { toPathText } from '../model/plain-path.js';
import { printable } from '../model/printable.js';
import { canonical } from '../plan/access.js';
import type { ActualAccess } from '../plan/plan.js';

/** An access for people: `GET,HEAD /v1/orders and below`. */
export function accessText(access: ActualAccess): string {
  switch (access?.kind) {
    case undefined:
      return 'nothing';
    case 'allow':
      return 'everything';
    case 'deny':
      return 'nothing (denied)';
    case 'other':
      return 'conditions that scopemesh does not write';
    case 'http': {
      const form = canonical(access);
      return form.kind === 'http' ? permissionTexts(form.permissions).join('; ') : accessText(form);
    }
  }
}

function permissionTexts(permissions: readonly HttpPermission[]): readonly string[] {
  const isSame = (a: HttpPermission, b: HttpPermission) =>
    JSON.stringify([a.methods, a.headers, a.jwt]) === JSON.stringify([b.methods, b.headers, b.jwt]);
  // With `rawPath`, a rule's `path` takes two permissions: the path itself, and everything below it.
  const below = (exact: HttpPermission) =>
    exact.pathExact === undefined
      ? undefined
      : permissions.find((each) => each.pathPrefix === `${exact.pathExact}/` && isSame(each, exact));
  const merged = new Set(permissions.flatMap((each) => below(each) ?? []));
  return permissions
    .filter((each) => !merged.has(each))
    .map((each) => {
      const path =
        below(each) !== undefined
          ? `${each.pathExact} and below (raw path)`
          : (each.pathExact ??
            (each.pathPrefix === undefined || each.pathPrefix === '/'
              ? undefined
              : `${each.pathPrefix}* (raw path)`) ??
            (each.pathRegex === undefined ? undefined : toPathText(each.pathRegex)) ??
            'any path');
      const headers = (each.headers ?? []).map(headerText);
      const condition = headers.length === 0 ? '' : ` if ${headers.join(' and ')}`;
      const user = each.jwt === undefined ? '' : `, ${requirementText(each.jwt)}`;
      return printable(`${each.methods?.join(',') ?? 'any method'} ${path}${condition}${user}`);
    });
}

/** `with a user's token of scopemesh-pay-main-_users (azp=bot)`. */
function requirementText({ provider, verifyClaims }: JwtRequirement): string {
  const claims = verifyClaims.map(({ path, value }) => `${path.join('.')}=${value}`);
  return `with a user's token of ${provider}${claims.length === 0 ? '' : ` (${claims.join(', ')})`}`;
}

/** The value of a header may be a credential, so it is not shown. */
function headerText(match: HeaderMatch): string {
  const not = match.invert === true ? 'not ' : '';
  return `${not}header ${match.name} ${match.present === true ? 'is present' : 'matches'}`;
}
