import { useEffect, useState } from 'preact/hooks';

/** How long something still lasts, to the second. */
export function Countdown({ until }: { readonly until: string }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  return (
    <time dateTime={until} title={until}>
      {left === 0
        ? 'ends now'
        : `${hours > 0 ? `${hours} h ` : ''}${left >= 60 ? `${minutes} min ` : ''}${seconds} s left`}
    </time>
  );
}
