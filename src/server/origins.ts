/** Which web pages may use the server: the setting `origins` against a request's Origin header. */

/** `origins`: as set, empty = every page. Without the header it is no page of a browser. */
export function allowsOrigin(origins: string, origin: string | undefined): boolean {
  return origins === '' || origin === undefined || origins.split(' ').includes(origin);
}

/** Whether a text is an origin as browsers write it: no path, no default port, lower case. */
export function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z\d+.-]*:\/\/[^\s/?#@,]+$/.test(text)) return false;
  return !/^https?:/.test(text) || (URL.canParse(text) && new URL(text).origin === text);
}
