export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

/** https://learn.microsoft.com/graph/errors */
export function graphError(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Answer {
  const innerError = { date: '2026-03-01T12:00:00', 'request-id': 'f2a9c6f2-93a4-4a6c-8f64-7a5fb0e6b1d4' };
  return { status, headers, json: { error: { code, message, innerError } } };
}

export function notFound(id: string): Answer {
  return graphError(
    404,
    'Request_ResourceNotFound',
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  );
}
