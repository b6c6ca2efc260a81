"use strict";
// Select the user's operating system in setup instructions. Without this file all systems are shown.
{
    const platform = navigator.userAgentData?.platform ?? navigator.platform;
    const guess = /mac/i.test(platform) ? "macos" : /win/i.test(platform) ? "windows" : "linux";

    const choose = (setup, system) => {
        setup.querySelector(`.systems input[value="${system}"]`).checked = true;
    };

    const prepare = (root) => {
        for (const setup of root.querySelectorAll("[data-setup]")) {
            if (!setup.querySelector(".systems input:checked")) {
                choose(setup, guess);
            }
        }
    };

    document.addEventListener("change", (event) => {
        if (event.target.matches(".systems input")) {
            for (const setup of document.querySelectorAll("[data-setup]")) {
                choose(setup, event.target.value);
            }
        }
    });
    document.addEventListener("htmx:load", (event) => prepare(event.target.parentElement ?? document));
    prepare(document);
}
