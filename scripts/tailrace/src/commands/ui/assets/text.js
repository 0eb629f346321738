// Text, times and numbers as they are shown. What Workers log is not trusted: characters that control, hide or reorder
// text are shown by their codes.

const UNSAFE =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Shows what would not be seen. @param {unknown} value @returns {string} */
export function visible(value) {
  return String(value)
    .replace(/\r\n/g, "\n")
    .replace(UNSAFE, (c) => {
      if (c === "\t") return "  ";
      return `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
    });
}

/** The same in one line. @param {unknown} value */
export function oneLine(value) {
  return visible(value).replace(/\n/g, " ⏎ ");
}

const zone = { utc: false };

/** Sets the zone of all times. @param {boolean} utc */
export function setUtc(utc) {
  zone.utc = utc;
}

export function isUtc() {
  return zone.utc;
}

/** Milliseconds that the zone is ahead of UTC. @param {number} ms */
export function zoneShift(ms) {
  return zone.utc ? 0 : -new Date(ms).getTimezoneOffset() * 60_000;
}

/** @param {number} number @param {number} [digits] */
function padded(number, digits = 2) {
  return String(number).padStart(digits, "0");
}

/** @param {number} ms */
function parts(ms) {
  const date = new Date(ms);
  if (zone.utc) {
    return {
      day: date.toISOString().slice(0, 10),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      ms: date.getUTCMilliseconds(),
    };
  }
  const day = `${date.getFullYear()}-${padded(date.getMonth() + 1)}-${padded(date.getDate())}`;
  return {
    day,
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    ms: date.getMilliseconds(),
  };
}

/** `17:57:06.376` @param {number} ms */
export function clock(ms) {
  const p = parts(ms);
  return `${padded(p.hour)}:${padded(p.minute)}:${padded(p.second)}.${padded(p.ms, 3)}`;
}

/** `2026-11-23 17:57:06.376` @param {number} ms */
export function moment(ms) {
  return `${parts(ms).day} ${clock(ms)}`;
}

/** A time on an axis that shows `span` milliseconds. @param {number} ms @param {number} span */
export function tick(ms, span) {
  const p = parts(ms);
  const minute = `${padded(p.hour)}:${padded(p.minute)}`;
  if (span > 2 * 86_400_000) return `${p.day.slice(5)} ${minute}`;
  return span > 10 * 60_000 ? minute : `${minute}:${padded(p.second)}`;
}

/** As an input of kind `datetime-local` has it. @param {number} ms */
export function field(ms) {
  const p = parts(ms);
  return `${p.day}T${padded(p.hour)}:${padded(p.minute)}:${padded(p.second)}`;
}

/** The opposite of `field`; NaN for what is not a time. @param {string} text */
export function fieldMillis(text) {
  return Date.parse(zone.utc ? `${text}Z` : text);
}

/** @param {number} number */
export function count(number) {
  return number.toLocaleString("en");
}

/** A few digits alone: `1.2k`. @param {number} number */
export function short(number) {
  if (number < 10_000) return count(number);
  const [value, unit] = number < 1_000_000 ? [number / 1e3, "k"] : [number / 1e6, "M"];
  return `${value < 100 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(ms < 10_000 ? 2 : 1))} s`;
  if (ms < 3_600_000) return two(ms, 60_000, "min", 1000, "s");
  if (ms < 2 * 86_400_000) return two(ms, 3_600_000, "h", 60_000, "min");
  return `${Math.round(ms / 8_640_000) / 10} days`;
}

/** A number of one unit, and the rest in a smaller one. @param {number} ms @param {number} large @param {string} unit @param {number} small @param {string} smaller */
function two(ms, large, unit, small, smaller) {
  const rest = Math.round((ms % large) / small);
  return `${Math.floor(ms / large)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}
