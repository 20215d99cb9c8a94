// The page's own state: one object, kept in the URL, sent to the server as input$view.
(function () {
  "use strict";
  var defaults = { page: "overview", range: "7d", from: "", to: "", login: "", zone: "Asia/Ho_Chi_Minh",
    bucket: "", measure: "visitors" };
  var view = Object.assign({}, defaults);

  function readUrl() {
    var query = new URLSearchParams(location.search);
    Object.keys(defaults).forEach(function (key) { view[key] = query.get(key) || defaults[key]; });
  }

  function writeUrl() {
    var query = new URLSearchParams();
    Object.keys(defaults).forEach(function (key) {
      if (view[key] && view[key] !== defaults[key]) query.set(key, view[key]);
    });
    var text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  }

  function logins() { return view.login ? view.login.split(",") : []; }

  function pressed(choice, value) {
    return choice === "login" ? logins().indexOf(value) >= 0 : view[choice] === value;
  }

  function show() {
    document.querySelectorAll("[data-choice] [data-value]").forEach(function (item) {
      var choice = item.closest("[data-choice]").dataset.choice;
      var on = pressed(choice, item.dataset.value);
      if (item.tagName === "A") {
        item.classList.toggle("active", on);
        if (on) item.setAttribute("aria-current", "page"); else item.removeAttribute("aria-current");
      } else {
        item.setAttribute("aria-pressed", String(on));
      }
    });
    document.querySelectorAll("[data-date]").forEach(function (item) { item.value = view[item.dataset.date]; });
    document.querySelectorAll("[data-select]").forEach(function (item) { item.value = view[item.dataset.select]; });
  }

  function send() {
    var token = document.querySelector("meta[name=session-token]").content;
    Shiny.setInputValue("view", Object.assign({}, view, { login: logins(), token: token }));
  }

  function change(part) {
    Object.assign(view, part);
    writeUrl();
    show();
    send();
  }

  function choose(choice, value) {
    if (choice === "login") {
      var now = logins();
      var at = now.indexOf(value);
      if (at >= 0) now.splice(at, 1); else now.push(value);
      change({ login: now.join(",") });
    } else if (choice === "range") {
      change({ range: value, from: "", to: "", bucket: "" });
    } else {
      var part = {};
      part[choice] = value;
      change(part);
    }
  }

  function theme(name) {
    document.documentElement.setAttribute("data-bs-theme", name);
    try { localStorage.setItem("theme", name); } catch (error) { /* a private window keeps nothing */ }
  }

  document.addEventListener("click", function (event) {
    var item = event.target.closest("[data-choice] [data-value], [data-pick], [data-goto], #theme, #copy");
    if (!item) return;
    event.preventDefault();
    if (item.id === "theme") {
      theme(document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark");
    } else if (item.id === "copy") {
      navigator.clipboard.writeText(location.href).then(function () {
        item.textContent = "Copied";
        setTimeout(function () { item.textContent = "Copy link to this view"; }, 2000);
      });
    } else if (item.dataset.goto) {
      change({ page: item.dataset.goto });
    } else if (item.dataset.pick) {
      choose(item.dataset.pick, item.dataset.value);
    } else {
      choose(item.closest("[data-choice]").dataset.choice, item.dataset.value);
    }
  });

  document.addEventListener("change", function (event) {
    var item = event.target;
    if (item.dataset.date) {
      var part = {};
      part[item.dataset.date] = item.value;
      var from = item.dataset.date === "from" ? item.value : view.from;
      var to = item.dataset.date === "to" ? item.value : view.to;
      // One day alone is a range of one day until the other end is chosen.
      if (!from) part.from = to;
      if (!to) part.to = from;
      part.range = "custom";
      part.bucket = "";
      change(part);
    } else if (item.dataset.select) {
      choose(item.dataset.select, item.value);
    }
  });

  var stored = null;
  try { stored = localStorage.getItem("theme"); } catch (error) { /* none */ }
  theme(stored || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  readUrl();

  document.addEventListener("DOMContentLoaded", function () {
    show();
    // What the server draws later (the bucket's buttons) takes the same state.
    window.jQuery(document).on("shiny:connected", send);
    window.jQuery(document).on("shiny:value", function () { setTimeout(show, 0); });
    // A lost session cannot be resumed here: the view is in the URL, so the page is opened again.
    window.jQuery(document).on("shiny:disconnected", function () {
      document.getElementById("gone").hidden = false;
      (function again() {
        setTimeout(function () {
          fetch(location.href, { cache: "no-store" }).then(function (answer) {
            if (answer.ok) location.reload(); else again();
          }, again);
        }, 2000);
      })();
    });
  });
})();
