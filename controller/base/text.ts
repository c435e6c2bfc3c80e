/** Texts that have to fit. */

/** At most `limit` characters, the last an ellipsis where something was cut; never half a character. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
