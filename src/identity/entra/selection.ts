import type { Logger } from '../../observe.js';
import { type HttpAnswer, parseJson } from '../http-client.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';

/** What is asked for by `$select`, with properties that Graph 1.0 may not know everywhere. */
export interface Selection {
  /** Separated by commas. */
  readonly fields: string;
  /** Whether an optional property is still asked for. */
  readonly isWhole: boolean;
  /** Whether Graph refused an optional property: it is left out from now on, and asking again makes sense. */
  narrow(answer: HttpAnswer): boolean;
}

/**
 * Graph refuses a whole read for one property that it does not know (400, "Could not find a property named …"). So those
 * that not every tenant's Graph is documented to have are asked for until they are refused, which is told once.
 */
export function createSelection(options: {
  readonly provider: string;
  readonly logger: Logger;
  /** The read, for the log. */
  readonly what: string;
  readonly fields: string;
  readonly optional: readonly string[];
}): Selection {
  const { provider, logger, what } = options;
  let optional = options.optional;
  return {
    get fields() {
      return [options.fields, ...optional].join(',');
    },
    get isWhole() {
      return optional.length > 0;
    },
    narrow(answer) {
      if (answer.status !== 400 || errorCodeOf(answer) === undefined) return false;
      const text = new TextDecoder().decode(answer.body);
      const refused = optional.filter((name) => text.includes(`'${name}'`));
      if (refused.length === 0) return false;
      optional = optional.filter((name) => !refused.includes(name));
      logger.warn(
        { provider, what, properties: refused },
        'Graph does not tell a property: it is not looked at',
      );
      return true;
    },
  };
}

/** As `api.find`, with the selection in place of a query. */
export async function findSelected(
  api: GraphApi,
  path: string,
  selection: Selection,
  what: string,
  signal: AbortSignal,
): Promise<unknown> {
  const place = api.placeOf(what);
  for (;;) {
    const answer = await api.send(api.addressOf(path, { $select: selection.fields }), place, {}, signal);
    if (answer.status === 200) return parseJson(answer, place);
    if (answer.status === 404 && errorCodeOf(answer) === 'Request_ResourceNotFound') return undefined;
    if (!selection.narrow(answer)) throw api.refusalOf(answer, place);
  }
}
