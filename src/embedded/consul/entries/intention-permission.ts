import { objectIn, objectsIn } from '../body.js';
import { quoted } from '../exchange.js';
import type { Decoded } from '../shape.js';

const knownMethods = 'GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE'.split(' ');

/** The error of an L7 permission, without the path of the permission; undefined if it is valid. */
export function permissionError(permission: Decoded): string | undefined {
  if (permission.Action !== 'allow' && permission.Action !== 'deny') {
    return ".Action must be set to 'allow' or 'deny'";
  }
  const http = objectIn(permission, 'HTTP');
  if (http === undefined) return '.HTTP is required';
  const error = httpError(http);
  return error === undefined ? undefined : `.HTTP${error}`;
}

function httpError(http: Decoded): string | undefined {
  let parts = 0;
  for (const field of ['PathExact', 'PathPrefix']) {
    const path = http[field];
    if (path === undefined) continue;
    parts += 1;
    if (!String(path).startsWith('/')) return `.${field} doesn't start with '/': ${quoted(String(path))}`;
  }
  if (http.PathRegex !== undefined) parts += 1;
  if (parts > 1) return ' should only contain at most one of PathExact, PathPrefix, or PathRegex';
  for (const [index, header] of objectsIn(http, 'Header').entries()) {
    if (header.Name === '') return `.Header[${index}] missing required Name field`;
    const matchers = ['Present', 'Exact', 'Regex', 'Prefix', 'Suffix'].filter(
      (name) => header[name] !== undefined,
    );
    if (matchers.length !== 1) {
      return `.Header[${index}] should only contain one of Present, Exact, Prefix, Suffix, or Regex`;
    }
    parts += 1;
  }
  const methods: unknown[] = Array.isArray(http.Methods) ? http.Methods : [];
  const seen = new Set<string>();
  for (const method of methods.map(String)) {
    if (!knownMethods.includes(method)) return `.Methods contains an invalid method ${quoted(method)}`;
    if (seen.has(method)) return `.Methods contains ${quoted(method)} more than once`;
    seen.add(method);
  }
  if (methods.length > 0) parts += 1;
  return parts === 0 ? ' should not be empty' : undefined;
}
