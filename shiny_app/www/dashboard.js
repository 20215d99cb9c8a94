// The page's own state: one object, kept in the URL, an input of Shiny's with the first message on.
(function () {
  "use strict";
  var defaults = { page: "overview", range: "7d", from: "", to: "", login: "", zone: "Asia/Ho_Chi_Minh",
    bucket: "", measure: "visitors", cohort: "week", heights: "first", split: "login_state", outcome: "all", session: "", columns: "",
    product: "", find: "", sort: "views", order: "desc", part: "", lang: "" };
  // What these may be; the server says which bucket fits a range.
  var words = { bucket: /^(hour|day|week)?$/, measure: /^(visitors|sessions|events)$/, cohort: /^(day|week)$/, heights: /^(first|before)$/, split: /^(login_state|category|brand|new_returning)$/,
    outcome: /^(all|converted|bounced|left_view|left_add|left_checkout)$/, session: /^(\d{1,9}(-\d{1,11}\.\d{6})?)?$/, columns: /^[a-z_,]{0,400}$/,
    product: /^[^\0]{0,200}$/, find: /^[^\0]{0,100}$/, sort: /^(name|views|adds|removals|wishlisted|rate|bought|price)$/, order: /^(desc|asc)$/, part: /^([1-9]\d{0,4})?$/, lang: /^(en|vi)?$/ };
  // Filters with values from the warehouse: each value a parameter of its own, as it may hold a comma.
  var lists = ["category", "brand", "event"];
  var view = Object.assign({}, defaults);
  lists.forEach(function (field) { view[field] = []; });
  // A funnel's steps: in their order, one may come twice; none are the usual ones.
  view.step = [];
  var longest = 200, most = 50;
  var tell = null;

  function offered(choice, value) {
    return Array.prototype.some.call(
      document.querySelectorAll('[data-choice="' + choice + '"] [data-value]'),
      function (item) { return item.dataset.value === value; }
    );
  }

  function validDay(text) {
    var date = new Date(text + "T00:00:00Z");
    return /^\d{4}-\d{2}-\d{2}$/.test(text) && !isNaN(date) && date.toISOString().slice(0, 10) === text;
  }

  function validZone(name) {
    // The browser also takes "utc"; R does not.
    if (!/^(UTC|[A-Z][A-Za-z_]+\/[A-Z][A-Za-z_\/+-]+)$/.test(name)) return false;
    try { new Intl.DateTimeFormat("en", { timeZone: name }); return true; } catch (error) { return false; }
  }

  function readUrl() {
    var query = new URLSearchParams(location.search);
    var odd = function (key) { if (view.dropped.indexOf(key) < 0) view.dropped.push(key); };
    view.dropped = [];
    Object.keys(defaults).forEach(function (key) { view[key] = query.get(key) || defaults[key]; });
    lists.forEach(function (field) {
      var all = query.getAll(field).filter(function (value, at, values) { return value && values.indexOf(value) === at; });
      view[field] = all.filter(function (value) { return value.length <= longest; }).slice(0, most);
      if (view[field].length < all.length) odd(field);
    });
    view.step = query.getAll("step");
    if (view.step.length && (view.step.length < 2 || view.step.length > 6 ||
        view.step.some(function (name) { return !name || name.length > longest; }))) { view.step = []; odd("step"); }
    // What the server would not take either: controls and numbers must never tell two stories.
    ["page", "range"].forEach(function (key) {
      if (!(key === "range" && view.range === "custom") && !offered(key, view[key])) { view[key] = defaults[key]; odd(key); }
    });
    var known = logins().filter(function (value) { return value !== "all" && offered("login", value); });
    if (known.length < logins().length && view.login !== "all") odd("login");
    view.login = known.join(",");
    if (!validZone(view.zone)) { view.zone = defaults.zone; odd("zone"); }
    Object.keys(words).forEach(function (key) {
      if (!words[key].test(view[key])) { view[key] = defaults[key]; odd(key); }
    });
    // Days without range=custom are days all the same.
    if ((view.from || view.to) && !query.get("range")) view.range = "custom";
    if (view.range === "custom") {
      ["from", "to"].forEach(function (key) { if (!validDay(view[key])) odd(key); });
      if (validDay(view.from) && validDay(view.to) && view.from > view.to) { odd("from"); odd("to"); }
      if (view.dropped.indexOf("from") >= 0 || view.dropped.indexOf("to") >= 0) view.range = defaults.range;
    }
    if (view.range !== "custom") view.from = view.to = "";
  }

  function address() {
    var query = new URLSearchParams();
    Object.keys(defaults).forEach(function (key) {
      if (view[key] && view[key] !== defaults[key]) query.set(key, view[key]);
    });
    lists.forEach(function (field) { view[field].forEach(function (value) { query.append(field, value); }); });
    view.step.forEach(function (name) { query.append("step", name); });
    var text = query.toString();
    return location.pathname + (text ? "?" + text : "");
  }

  function defaultColumns() { return document.querySelector("[data-choice=columns]").dataset.default; }
  function columns() { return (view.columns || defaultColumns()).split(","); }
  function logins() { return view.login ? view.login.split(",") : []; }

  function pressed(choice, value) {
    if (lists.indexOf(choice) >= 0) return view[choice].indexOf(value) >= 0;
    if (choice === "columns") return columns().indexOf(value) >= 0;
    if (choice !== "login") return view[choice] === value;
    return value === "all" ? !view.login : logins().indexOf(value) >= 0;
  }

  // The days of a preset, in the chosen zone; the server counts them in the same way.
  function days() {
    if (view.range === "custom") return { from: view.from, to: view.to };
    var text;
    try {
      text = new Intl.DateTimeFormat("en-CA", { timeZone: view.zone }).format(new Date());
    } catch (error) {
      return { from: "", to: "" };
    }
    var back = { today: [0, 0], yesterday: [1, 1], "7d": [6, 0], "30d": [29, 0], "90d": [89, 0] }[view.range] || [6, 0];
    var day = function (n) {
      var date = new Date(text + "T00:00:00Z");
      date.setUTCDate(date.getUTCDate() - n);
      return date.toISOString().slice(0, 10);
    };
    return { from: day(back[0]), to: day(back[1]) };
  }

  function dayWords(day) {
    var date = new Date(day + "T00:00:00Z");
    return isNaN(date) ? "" : date.toLocaleDateString(document.documentElement.lang === "vi" ? "vi" : "en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  }

  function showPage() {
    document.querySelectorAll("section[data-page]").forEach(function (section) {
      var hide = section.dataset.page !== view.page;
      if (section.hidden === hide) return;
      section.hidden = hide;
      // Shiny draws what is seen and lets the rest wait; these two events tell it.
      if (window.jQuery) window.jQuery(section).trigger(hide ? "hidden" : "shown");
    });
    document.body.dataset.page = view.page;
  }

  function show() {
    document.querySelectorAll("[data-choice] [data-value]").forEach(function (item) {
      var choice = item.closest("[data-choice]").dataset.choice;
      // Which bucket fits the range is the server's to say.
      if (choice === "bucket") return;
      var on = pressed(choice, item.dataset.value);
      if (item.tagName === "A") {
        item.classList.toggle("active", on);
        if (on) item.setAttribute("aria-current", "page"); else item.removeAttribute("aria-current");
      } else {
        item.setAttribute("aria-pressed", String(on));
      }
    });
    var shown = days();
    document.querySelectorAll("[data-date]").forEach(function (item) { item.value = shown[item.dataset.date]; });
    document.querySelectorAll("[data-select]").forEach(function (item) {
      var value = view[item.dataset.select];
      if (!Array.prototype.some.call(item.options, function (option) { return option.value === value; })) {
        item.add(new Option(value, value));
      }
      item.value = value;
    });
    // Not what is being typed.
    document.querySelectorAll("[data-text]").forEach(function (item) {
      if (item !== document.activeElement) item.value = view[item.dataset.text];
    });
    document.querySelectorAll("[data-words]").forEach(function (item) {
      item.textContent = shown.from === shown.to ? dayWords(shown.from) : dayWords(shown.from) + " \u2013 " + dayWords(shown.to);
    });
    document.querySelectorAll("[data-count]").forEach(function (item) {
      var field = item.dataset.count, count = (field === "login" ? logins() : field === "columns" ? columns() : view[field]).length;
      item.textContent = count || "";
      item.closest("button").classList.toggle("on", count > 0 && field !== "columns");
    });
    showFolds();
    showPage();
  }

  // One menu is open at a time; what is in it is drawn when it is seen.
  function openMenu(field) {
    document.querySelectorAll("[data-open]").forEach(function (button) {
      var pop = document.getElementById(button.getAttribute("aria-controls"));
      var open = button.dataset.open === field && pop.hidden;
      if (pop.hidden === !open) return;
      pop.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
      if (window.jQuery) window.jQuery(pop).trigger(open ? "shown" : "hidden");
      if (open) {
        // Not over the edge of the window.
        pop.classList.toggle("left", pop.getBoundingClientRect().right > document.documentElement.clientWidth);
        // A phone's keyboard would cover what can be chosen: it comes when the search is tapped.
        var first = matchMedia("(max-width: 767.98px)").matches ? "[data-close]" : "input, button";
        (pop.querySelector(first) || button).focus();
      }
    });
  }

  // Which cards a phone has unfolded: they are drawn anew with each answer.
  var unfolded = {};
  function showFolds() {
    document.querySelectorAll("[data-fold]").forEach(function (card) {
      var open = unfolded[card.dataset.fold] === true;
      card.classList.toggle("unfolded", open);
      card.querySelector("[data-unfold]").setAttribute("aria-expanded", String(open));
    });
  }

  function unpick(field, value) {
    var part = {};
    if (field === "login") part.login = logins().filter(function (one) { return one !== value; }).join(",");
    else part[field] = view[field].filter(function (one) { return one !== value; });
    return part;
  }

  // With another list its first part is meant.
  var listed = ["range", "from", "to", "zone", "login", "find", "sort", "order"].concat(lists);

  // `typed`: one more letter of a search is no step for Back to take.
  function change(part, typed) {
    if (listed.some(function (key) { return key in part; }) && !("part" in part)) part.part = "";
    // Of a note that takes steps away one may be left.
    if (part.step && part.step.length < 2) part.step = [];
    Object.assign(view, part);
    if (address() !== location.pathname + location.search) history[typed ? "replaceState" : "pushState"](null, "", address());
    show();
    if (tell) tell();
  }

  // A step that was changed, added or left out (`value` empty); its menu is drawn anew.
  var stepFocus = null;
  function changeStep(place, value) {
    var box = document.querySelector("[data-steps]"), steps = JSON.parse(box.dataset.steps);
    if (place === "all") steps = [];
    else steps.splice(Number(place) - 1, 1, value);
    steps = steps.filter(Boolean);
    stepFocus = place === "all" ? 1 : Math.min(Number(place), steps.length);
    change({ step: JSON.stringify(steps) === box.dataset.usual ? [] : steps });
  }

  function choose(choice, value) {
    if (choice === "login") {
      var now = value === "all" ? [] : logins();
      var at = now.indexOf(value);
      if (at >= 0) now.splice(at, 1); else if (value !== "all") now.push(value);
      change({ login: now.join(",") });
    } else if (choice === "columns") {
      var left = columns().filter(function (one) { return one !== value; });
      if (left.length === columns().length) left.push(value);
      change({ columns: left.join(",") === defaultColumns() ? "" : left.join(",") });
    } else if (lists.indexOf(choice) >= 0) {
      var chosen = {};
      chosen[choice] = view[choice].concat(value);
      change(view[choice].indexOf(value) >= 0 ? unpick(choice, value) : chosen);
    } else if (choice === "page") {
      // From one product's page its own tab leads back to the list.
      change(value === "products" && view.page === "products" ? { product: "" } : { page: value });
    } else if (choice === "part") {
      change({ part: value === "1" ? "" : value });
    } else if (choice === "sort" && value === view.sort) {
      change({ order: view.order === "desc" ? "asc" : "desc" });
    } else if (choice === "sort") {
      change({ sort: value, order: value === "name" ? "asc" : "desc" });
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
  }

  function chosenTheme(name) {
    theme(name);
    try { localStorage.setItem("theme", name); } catch (error) { /* a private window keeps nothing */ }
  }

  document.addEventListener("click", function (event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!event.target.closest("[data-menu]")) openMenu(null);
    var item = event.target.closest("[data-choice] [data-value], [data-pick], [data-goto], [data-open], [data-unpick], [data-send], [data-look], [data-lang], [data-unfold], [data-close], [data-sort], [data-flip], [data-step-off]," +
      " [data-clear], [data-dismiss], #theme, #copy, #filters");
    if (!item) return;
    event.preventDefault();
    if (item.id === "theme") {
      chosenTheme(document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark");
    } else if (item.id === "filters") {
      item.setAttribute("aria-expanded", String(item.getAttribute("aria-expanded") !== "true"));
    } else if (item.id === "copy") {
      navigator.clipboard.writeText(location.href).then(function () {
        var text = item.textContent;
        item.textContent = item.dataset.done;
        setTimeout(function () { item.textContent = text; }, 2000);
      });
    } else if ("unfold" in item.dataset) {
      var card = item.closest("[data-fold]");
      unfolded[card.dataset.fold] = !card.classList.contains("unfolded");
      showFolds();
    } else if ("close" in item.dataset) {
      var opener = document.querySelector("[data-open][aria-expanded=true]");
      openMenu(null);
      if (opener) opener.focus();
    } else if ("look" in item.dataset) {
      find(item.parentNode);
    } else if (item.dataset.stepOff) {
      changeStep(item.dataset.stepOff, "");
    } else if (item.dataset.sort) {
      choose("sort", item.dataset.sort);
    } else if ("flip" in item.dataset) {
      choose("sort", view.sort);
    } else if (item.dataset.lang) {
      try { localStorage.setItem("lang", item.dataset.lang); } catch (error) { /* asked again next time */ }
      view.lang = item.dataset.lang === "en" ? "" : item.dataset.lang;
      location.assign(address());
    } else if (item.dataset.send) {
      window.Shiny.setInputValue(item.dataset.send, item.dataset.value, { priority: "event" });
    } else if (item.dataset.open) {
      openMenu(item.dataset.open);
    } else if (item.dataset.unpick) {
      change(unpick(item.dataset.unpick, item.dataset.value));
      document.getElementById("main").focus();
    } else if ("clear" in item.dataset) {
      change({ login: "", category: [], brand: [], event: [] });
      document.getElementById("main").focus();
    } else if (item.dataset.dismiss) {
      var rest = { dropped: [] };
      JSON.parse(item.dataset.dismiss).forEach(function (pair) {
        rest[pair[0]] = pair[0] === "product" ? "" : (rest[pair[0]] || view[pair[0]]).filter(function (one) { return one !== pair[1]; });
      });
      change(rest);
      document.getElementById("main").focus();
    } else if (item.dataset.goto) {
      var there = { page: item.dataset.goto };
      if (item.dataset.outcome) there.outcome = item.dataset.outcome;
      if (item.dataset.session) there.session = item.dataset.session;
      if ("product" in item.dataset) there.product = item.dataset.product;
      change(there);
      window.scrollTo(0, 0);
    } else if (item.dataset.pick) {
      choose(item.dataset.pick, item.dataset.value);
    } else {
      choose(item.closest("[data-choice]").dataset.choice, item.dataset.value);
    }
  });

  document.addEventListener("change", function (event) {
    var item = event.target;
    if (item.dataset.date) {
      if (!item.value) { show(); return; }
      var part = days();
      part[item.dataset.date] = item.value;
      // The end that was not touched follows, so that a range never runs backwards.
      if (part.from > part.to) part[item.dataset.date === "from" ? "to" : "from"] = item.value;
      part.range = "custom";
      part.bucket = "";
      change(part);
    } else if (item.dataset.step) {
      changeStep(item.dataset.step, item.value);
    } else if (item.dataset.select) {
      choose(item.dataset.select, item.value);
    }
  });

  var typing = null;
  document.addEventListener("input", function (event) {
    var field = event.target.dataset.search, text = event.target.dataset.text;
    if (!field && !text) return;
    clearTimeout(typing);
    if (text) {
      typing = setTimeout(function () {
        var part = {}, more = view[text] !== "" && event.target.value !== "";
        part[text] = event.target.value;
        change(part, more);
      }, 250);
      return;
    }
    typing = setTimeout(function () { window.Shiny.setInputValue("filters-search_" + field, event.target.value); }, 150);
  });

  function find(box) { window.Shiny.setInputValue(box.dataset.find, box.querySelector("input").value); }

  document.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && event.target.matches("[data-find] input")) find(event.target.parentNode);
    if (event.key !== "Escape") return;
    var open = document.querySelector("[data-open][aria-expanded=true]");
    if (open) { openMenu(null); open.focus(); }
  });

  // The reader's language, unless the link has one.
  var spoken = null;
  try { spoken = localStorage.getItem("lang"); } catch (error) { /* none */ }
  if (spoken === "vi" && !new URLSearchParams(location.search).get("lang")) {
    location.replace(location.pathname + (location.search ? location.search + "&" : "?") + "lang=vi");
  }

  var dark = matchMedia("(prefers-color-scheme: dark)");
  var stored = null;
  try { stored = localStorage.getItem("theme"); } catch (error) { /* none */ }
  theme(stored || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", function () { if (!stored) theme(dark.matches ? "dark" : "light"); });

  window.addEventListener("popstate", function () {
    readUrl();
    show();
    if (tell) tell();
  });

  document.addEventListener("DOMContentLoaded", function () {
    readUrl();
    show();
    var binding = new window.Shiny.InputBinding();
    Object.assign(binding, {
      find: function (scope) { return window.jQuery(scope).find(".view-input"); },
      getValue: function (element) {
        // Not the page: it is shown here, and a change of it is no reason to draw anything anew.
        var sent = Object.assign({}, view, { login: logins(), columns: columns(), lang: document.documentElement.lang, token: element.dataset.token });
        delete sent.page;
        return sent;
      },
      subscribe: function (element, callback) { tell = function () { callback(false); }; },
      unsubscribe: function () { tell = null; }
    });
    window.Shiny.inputBindings.register(binding, "sbw.view");
    // What the server draws later (the bucket's buttons) takes the same state.
    window.jQuery(document).on("shiny:value", function (event) {
      setTimeout(function () {
        show();
        if (stepFocus === null || event.target.id !== "funnel-steps") return;
        var menu = document.querySelector('[data-step="' + stepFocus + '"]');
        if (menu) menu.focus();
        stepFocus = null;
      }, 0);
    });
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
