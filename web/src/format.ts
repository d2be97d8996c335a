// Numbers and times as the page shows them: as wide as before when the value changes a little.

const thousands = new Intl.NumberFormat("en-GB");

export function count(n: number | undefined): string {
  return n === undefined || !Number.isFinite(n) ? "–" : thousands.format(n);
}

export function perSecond(n: number): string {
  if (!Number.isFinite(n)) return "–";
  if (n === 0) return "0/s";
  return (n >= 100 ? thousands.format(Math.round(n)) : n.toFixed(n >= 10 ? 1 : 2)) + "/s";
}

export function percent(part: number | null): string {
  if (part === null || !Number.isFinite(part)) return "–";
  return (100 * part).toFixed(part > 0 && part < 0.0995 ? 1 : 0) + " %";
}

export function seconds(s: number): string {
  if (!Number.isFinite(s)) return "–";
  if (s === 0) return "0";
  if (s < 1e-3) return Math.round(s * 1e6) + " µs";
  if (s < 1) return (s * 1e3).toFixed(s < 0.01 ? 1 : 0) + " ms";
  return s < 100 ? s.toFixed(1) + " s" : duration(s);
}

export function duration(s: number): string {
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const rest = String(Math.floor(s % 60)).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
}

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000;
    at++;
  }
  return `${at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[at]}`;
}

// value of a pixel: four digits that count, or all of a whole number.
export function value(v: number | null | undefined): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  return Number.isInteger(v) && Math.abs(v) < 1e7 ? String(v) : String(Number(v.toPrecision(4)));
}

// clock takes what Go writes, or seconds since 1970; digits are those of a second.
export function clock(time: string | number, digits: 0 | 3 = 0): string {
  const at = new Date(typeof time === "number" ? Math.floor(time * 1000 + 1e-3) : time);
  if (Number.isNaN(at.getTime())) return String(time);
  const whole = at.toLocaleTimeString("en-GB", { hour12: false });
  return digits === 0 ? whole : `${whole}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
