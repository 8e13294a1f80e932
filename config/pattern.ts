const CAPTURE = /\{([a-z][a-zA-Z0-9]*)\}/g;

// Keeps patterns readable and bounds the cost of matching scope names, which come from outside.
const MAX_WILDCARDS = 4;

/**
 * The fault of a pattern (literal text, `*` for anything, `{name}` for a service-like name), or undefined. A name that is
 * used twice must match equally. Adjacent wildcards are refused, because it is unclear which one matches what.
 */
export function patternFault(pattern: string): string | undefined {
  const fault = templateFault(pattern);
  if (fault !== undefined) return fault;
  if (/\*\*|\*\{|\}\*|\}\{/.test(pattern)) {
    return 'has two wildcards side by side; put literal text between them';
  }
  if (pattern.replace(CAPTURE, '*').split('*').length - 1 > MAX_WILDCARDS) {
    return `has more than ${MAX_WILDCARDS} wildcards; use fewer`;
  }
  return undefined;
}

/** The fault of a text that uses captures, or undefined. */
export function templateFault(template: string): string | undefined {
  if (template === '') return 'must not be empty';
  if (/[{}]/.test(template.replace(CAPTURE, ''))) {
    return 'has a brace that is not part of a capture; write {name} with a lower-case letter first, then letters and digits';
  }
  return undefined;
}

/** The names of the captures, in order. */
export function captureNames(text: string): readonly string[] {
  return [...text.matchAll(CAPTURE)].map(([, name = '']) => name);
}
