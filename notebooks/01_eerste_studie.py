# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # De eerste studie, van bundel tot bevinding
#
# Een studie draaien geeft een **bundel**: één map met alle uitkomsten, tabellen, figuren en het rapport. Dit notebook
# leest zo'n bundel en laat zien wat ook in het rapport staat, zodat u er zelf mee verder kunt. Er wordt hier niets
# geschat: elk getal komt uit de bundel.
#
# De gegevens van deze studie zijn verzonnen. Geen enkel cijfer gaat over echte wijken.
#
# Wat de studie gaat doen, staat vooraf in gewone zinnen: `impact explain studies/eerste-studie/study.yaml`.

# %% [markdown]
# ## De bundel
#
# Staat er al een bundel, noem de map dan in de omgevingsvariabele `IMPACT_BUNDLE`. Anders wordt de studie hier
# gedraaid; dat duurt enkele seconden en geeft op elke computer dezelfde bestanden.

# %%
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

import impact

project = Path.cwd() if Path("studies").is_dir() else Path.cwd().parent
if "IMPACT_BUNDLE" in os.environ:
    bundel = impact.read_bundle(Path(os.environ["IMPACT_BUNDLE"]))
else:
    studie = impact.read_study(project / "studies" / "eerste-studie")
    bundel = impact.run(studie, out=project / "out" / "eerste-studie")

uitkomst = bundel.outcomes[0]  # een studie kan er meer hebben; de eerste is die van het hoofdrapport
pd.set_option("display.precision", 4, "display.max_colwidth", None)


def tabel(rijen, *kolommen):
    """Rijen van de bundel als tabel, met alleen deze kolommen."""
    return pd.DataFrame([asdict(rij) for rij in rijen], columns=list(kolommen))


display(Markdown(f"**{uitkomst.title['nl']}**\n\n{uitkomst.question['nl']}"))

# %% [markdown]
# ## Het resultaat
#
# De status, het aantal gebieden en de zinnen over het resultaat, woordelijk zoals in het rapport.

# %% tags=["result"]
for zin in bundel.sentences():
    display(Markdown(zin))

# %% [markdown]
# ## Over welke gebieden gaat het?
#
# Elke uitkomst geldt voor een deel van de twintig focusgebieden. De andere staan er met naam bij, met de reden.

# %% tags=["areas"]
andere = ", ".join(gebied.name for gebied in uitkomst.others) or "geen"
display(Markdown(f"{len(uitkomst.included)} van de {uitkomst.areas_total} gebieden; de andere: {andere}."))

# %% tags=["areas-table"]
tabel(uitkomst.areas, "name", "cluster", "first_treated", "base", "left_out")

# %% [markdown]
# ## Voor en na
#
# De gemiddelden van de focusgebieden en van hun vergelijking, voor en na de start. De schatting zelf staat eronder: zij
# rekent per groep van gebieden met dezelfde start en is daarom niet precies het verschil van deze rijen.

# %% tags=["change"]
if uitkomst.change is not None:
    c = uitkomst.change
    display(
        pd.DataFrame(
            {
                "focusgebieden": [c.focus_before, c.focus_after],
                "vergelijking": [c.comparison_before, c.comparison_after],
            },
            index=[f"voor de start ({c.before})", f"na de start ({c.after})"],
        )
    )

# %% [markdown]
# `bundel.tidy()` geeft elke schatting als een rij. De schatting van de studie heeft de rol `primary`. Een verzegelde
# uitkomst heeft geen rij: dan is een toets van de opzet niet gehaald en is er geen getal.

# %% tags=["estimate"]
schattingen = bundel.tidy()
schattingen = schattingen[schattingen["outcome"] == uitkomst.indicator]
getallen = ["name", "estimate", "ci_low", "ci_high", "p_value", "areas", "areas_total", "unit", "status"]
schattingen.loc[schattingen["role"] == "primary", getallen]

# %% [markdown]
# Ernaast, en nooit om uit te kiezen: dezelfde onzekerheid op een andere manier berekend.

# %% tags=["beside"]
tabel(uitkomst.primary.beside, "name", "p_value", "draws")

# %% [markdown]
# ## Lijkt de vergelijking op de focusgebieden?
#
# Hoe dichter het gestandaardiseerde verschil (`smd_matched`) bij 0 ligt, hoe meer.

# %% tags=["balance"]
tabel(uitkomst.balance, "label", "focus", "pool", "matched", "smd_pool", "smd_matched", "matched_on")

# %% tags=["figure-balance"]
impact.Picture(bundel.figure("balance"))

# %% [markdown]
# ## Hoe liepen zij?
#
# Eerst de gemiddelden per periode met het verschil ertussen, dan het geschatte verschil naar perioden sinds de start.
# Punten van voor de start laten zien of beide toen al uiteenliepen.

# %% tags=["figure-gap"]
impact.Picture(bundel.figure("gap"))

# %% tags=["path"]
tabel(uitkomst.path, "period", "focus", "comparison", "after")

# %% tags=["figure-event-study"]
impact.Picture(bundel.figure("event-study"))

# %% tags=["event"]
schattingen.loc[schattingen["role"] == "event", ["term", "estimate", "ci_low", "ci_high", "areas"]]

# %% [markdown]
# ## Andere berekeningen
#
# Dezelfde schatting met een andere weging, en de alternatieven die de studie vooraf noemt. Waar `same_estimand` onwaar
# is, wordt een andere vraag beantwoord; dat getal is niet met de schatting te vergelijken. Bij `unsized` is niet
# bekend of het interval de waarheid zo vaak bevat als het hoort.

# %% tags=["weightings"]
schattingen.loc[schattingen["role"] == "weighting", getallen]

# %% tags=["alternatives"]
schattingen.loc[schattingen["role"] == "alternative", ["same_estimand", *getallen]]

# %% [markdown]
# ## Toetsen en weigeringen
#
# Een toets met `gates` verzegelt: wordt hij niet gehaald, dan is er geen getal. Een weigering zegt wat niet gegeven kan
# worden, waarom, en wat wel kan.

# %% tags=["checks"]
tabel(uitkomst.checks, "name", "verdict", "statistic", "threshold", "gates")

# %% tags=["refusals"]
for weigering in uitkomst.refusals:
    display(Markdown(f"- {weigering}"))
if not uitkomst.refusals:
    display(Markdown("Er is niets geweigerd."))

# %% [markdown]
# ## Wat u van de gegevens moet weten

# %% tags=["notes"]
for opmerking in (*uitkomst.not_measurable, *uitkomst.notes):
    display(Markdown(f"- {opmerking}"))

# %% tags=["periods"]
if uitkomst.periods_left_out:
    display(tabel(uitkomst.periods_left_out, "unit", "reason"))
else:
    display(Markdown("Alle perioden van de studie tellen mee."))

# %% [markdown]
# De bestanden waarop dit alles berust, met hun controlegetal. `impact run` geeft met dezelfde bestanden precies
# dezelfde bundel.

# %% tags=["data"]
tabel(uitkomst.data, "role", "file", "rows", "sha256", "source")
