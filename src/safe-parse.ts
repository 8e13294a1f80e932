import { z } from 'zod';

/**
 * What the schema says of a value from outside. Zod compares the `length` of any value with a limit, also that of an object
 * whose `length` no comparison takes, as in `{"length":{"toString":null}}`; it throws a TypeError then, and here it refuses.
 */
export function safeParse<S extends z.ZodType>(schema: S, value: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return z.never().safeParse(value);
  }
}
