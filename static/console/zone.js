"use strict";
// Tells the console the browser's time zone, so that pages show local times. Without it they show UTC, or the zone
// that the member chose.
{
    const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !document.cookie.split("; ").includes(`time-zone=${zone}`)) {
        const secure = location.protocol === "https:" ? "; Secure" : "";
        document.cookie = `time-zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    }
}
