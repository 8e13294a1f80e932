/** What Stryker's runner asks the session, and what it answers. */
export type Question =
  | { readonly kind: 'all'; readonly id: number; readonly files: readonly string[] }
  | {
      readonly kind: 'mutant';
      readonly id: number;
      readonly mutant: string;
      readonly hitLimit?: number;
      readonly testTimeoutMs: number;
      /** After this time no further test begins. */
      readonly limitMs: number;
      readonly files: readonly { readonly file: string; readonly ids: readonly string[] }[];
    }
  | { readonly kind: 'end' }
  | { readonly kind: 'answer' };

export type Answer =
  | { readonly kind: 'all'; readonly tests: readonly Ran[]; readonly coverage: Coverage }
  | {
      readonly kind: 'killed';
      readonly by: string;
      readonly file: string;
      readonly failure: string;
      readonly ran: number;
    }
  | { readonly kind: 'survived'; readonly ran: number }
  | { readonly kind: 'endless' }
  /** A test fails without the mutant too: something outlived an earlier run. */
  | { readonly kind: 'dirty' };

export interface Ran {
  readonly file: string;
  readonly id: string;
  readonly name: string;
  readonly ms: number;
  readonly failure?: string | undefined;
}

type Hits = Record<string, number>;

export interface Coverage {
  readonly static: Hits;
  readonly perTest: Record<string, Hits>;
}
