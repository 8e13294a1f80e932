interface Zoom {
  readonly step: (by: 1 | -1) => void;
  readonly fit: () => void;
}

export function ZoomButtons({ step, fit }: Zoom) {
  return (
    <div class="zoom">
      <button type="button" class="button" aria-label="Smaller" onClick={() => step(-1)}>
        −
      </button>
      <button type="button" class="button" onClick={fit}>
        Fit
      </button>
      <button type="button" class="button" aria-label="Larger" onClick={() => step(1)}>
        +
      </button>
    </div>
  );
}
