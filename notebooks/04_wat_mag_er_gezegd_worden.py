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
# # Gevoeligheid, en wat er gezegd mag worden
#
# Een schatting met een interval is het begin. Dit notebook loopt na waar zij aan hangt: aan het gelijk oplopen van
# beide groepen, aan één gebied, aan de berekening, aan keuzes die ook anders hadden gekund. Daarna staat er wat een
# lezer mag zeggen, en wat niet.
#
# **Waar u op let:** of het antwoord omslaat zodra één aanname iets minder geldt.
#
# **Wat u niet mag besluiten:** dat een uitkomst zeker is omdat vijf berekeningen hetzelfde teken geven. Zij delen
# dezelfde gegevens, en dus dezelfde fouten.
#
# De gegevens zijn verzonnen. De eerste keer draait dit notebook twee studies; staan er al bundels, noem de map dan in
# de omgevingsvariabele `IMPACT_BUNDLES`.

# %%
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

import impact

project = Path.cwd() if Path("studies").is_dir() else Path.cwd().parent
bundels = os.environ.get("IMPACT_BUNDLES")


def bundel_van(naam):
    """De bundel van een studie: die in de map IMPACT_BUNDLES, of anders wordt de studie hier gedraaid."""
    if bundels:
        return impact.read_bundle(Path(bundels) / naam)
    return impact.run(impact.read_study(project / "studies" / naam), out=project / "out" / naam)


pd.set_option("display.float_format", "{:.4g}".format, "display.max_colwidth", None)


def tabel(rijen, *kolommen):
    """Rijen van de bundel als tabel, met alleen deze kolommen."""
    return pd.DataFrame([asdict(rij) for rij in rijen], columns=list(kolommen))


def zinnen(regels):
    """Zinnen uit de bundel, woordelijk."""
    for regel in regels:
        display(Markdown(regel))


bundel = bundel_van("voortijdig-schoolverlaten")
uitkomst = bundel.outcomes[0]
robuust = uitkomst.robust
schattingen = bundel.tidy()

# %% [markdown]
# ## De uitkomst

# %% tags=["result"]
zinnen(bundel.sentences())

# %% tags=["estimate"]
getallen = ["name", "estimate", "ci_low", "ci_high", "p_value", "areas", "areas_total", "unit", "status"]
schattingen.loc[schattingen["role"] == "primary", getallen]

# %% [markdown]
# ## Als beide groepen niet gelijk opliepen
#
# De schatting neemt aan dat de focusgebieden zonder programma hetzelfde waren veranderd als hun vergelijking. Of dat
# zo is, is niet te zien: het is een wereld die er niet was. Wel is te zeggen *hoeveel* afwijking het antwoord
# verdraagt. De maat is de grootste sprong die vóór de start van de ene op de andere periode te zien was; bij 0,5 mag
# het verschil na de start per periode half zo hard weglopen.

# %% tags=["honest"]
tabel(robuust.honest.bounds, "bound", "low", "high")

# %% [markdown]
# Het omslagpunt: de kleinste afwijking waarbij nul in het interval ligt.

# %% tags=["breakdown"]
display(Markdown(f"Omslagpunt: **{robuust.honest.breakdown:.2f}** keer de grootste sprong van vóór de start."))

# %% tags=["figure-departures"]
impact.Picture(bundel.figure("departures"))

# %% tags=["figure-event-study"]
impact.Picture(bundel.figure("event-study"))

# %% [markdown]
# ## Andere berekeningen die vooraf zijn genoemd
#
# De alternatieven staan in de studie zelf, met de reden. Alleen waar `same_estimand` waar is, wordt dezelfde vraag
# beantwoord. Kies er nooit één uit omdat het getal bevalt.

# %% tags=["alternatives"]
schattingen.loc[schattingen["role"] == "alternative", ["same_estimand", *getallen]]

# %% tags=["figure-specifications"]
impact.Picture(bundel.figure("specifications"))

# %% [markdown]
# ## Zonder één gebied, één gemeente of één periode
#
# Hangt de schatting aan één plek, dan verschuift zij zodra die wegblijft. `low` en `high` zijn de uitersten.

# %% tags=["leave-one-out"]
tabel(robuust.left_out, "what", "low", "high", "most")

# %% [markdown]
# ## Wat er naast de gebieden gebeurde
#
# Verplaatst een probleem zich naar de wijk ernaast (waterbedeffect), of profiteert die mee? `ring` is de rand om de
# gebieden; `net` telt gebied en rand samen.

# %% tags=["ring"]
tabel([robuust.ring.area, robuust.ring.ring, robuust.ring.net], "value", "low", "high", "p_value").assign(
    waar=["gebied", "rand", "samen"]
).set_index("waar")

# %% [markdown]
# ## Eén schatting, verschillende manieren om de fout te berekenen
#
# Het programma kent weinig gemeenten; dan maakt het uit hoe de fout wordt berekend. De studie noemt er vooraf één. De
# andere staan ernaast om te laten zien hoeveel van die keuze afhangt; geen ervan mag worden gekozen om wat zij zegt.
# Hier het aandeel personen met een uitkering, zonder koppeling en met vijf manieren. Er zijn minder trekkingen dan in
# een studie (199), zodat u niet hoeft te wachten: het laatste cijfer van een p-waarde kan daardoor verschillen.

# %%
wijken = pd.read_parquet(project / "data_synthetic" / "land-wijken.parquet")
cijfers = pd.read_parquet(project / "data_synthetic" / "land-indicatoren.parquet")
cijfers = cijfers.query("indicator == 'uitkering' and status == 'ok' and '2013' <= period <= '2024'")
compleet = cijfers["region"].map(cijfers["region"].value_counts()).eq(cijfers["period"].nunique())
panel = impact.Panel.from_frame(
    cijfers[compleet].merge(wijken, on="region"),
    unit="region",
    time="period",
    outcome="value",
    first_treated="start",
    cluster="gemeente",
    area="focusgebied",
    residents="inwoners",
    outcome_unit="procentpunt",
)
manieren = ["score-flip", "wild", "randomization-t", "placebo-space"]
minder = {"randomization-t": {"draws": 199}, "placebo-space": {"draws": 199}}
batterij = impact.battery(panel, weighting="area", inferences=manieren, settings=minder)

# %% tags=["battery"]
batterij

# %% tags=["figure-battery"]
impact.picture(
    batterij.plot.estimates(),
    "Eén schatting met de intervallen van verschillende berekeningen",
    "Dezelfde schatting op elke regel; waar een interval bestaat, staat het erbij. "
    + batterij.summary().splitlines()[0],
)

# %% [markdown]
# ## Een nepstudie
#
# Dezelfde opzet, met een verzonnen start in 2016, zes jaar voor het programma. Wie daar iets vindt, vindt iets anders
# dan het programma.

# %% tags=["placebo"]
nep = bundel_van("placebo-2016")
zinnen(nep.sentences())

# %% tags=["placebo-estimate"]
neptabel = nep.tidy()
neptabel.loc[neptabel["role"] == "primary", getallen]

# %% [markdown]
# Nul ligt in dat interval. Dat is geruststellend, niet meer: een nepstudie kan een fout laten zien, nooit uitsluiten.

# %% [markdown]
# ## Toetsen van de opzet

# %% tags=["checks"]
tabel(uitkomst.checks, "name", "verdict", "statistic", "threshold", "gates")

# %% [markdown]
# Negatieve controles (uitkomsten die het programma niet kan raken) noemt deze studie niet. Dat staat hier omdat het
# ontbreken van een toets iets anders is dan het halen ervan.

# %% tags=["controls"]
display(Markdown("Geen opgegeven." if robuust.controls is None else str(robuust.controls)))

# %% [markdown]
# ## Wat er gezegd mag worden
#
# De zinnen bovenaan, met hun status en hun kenmerk, woordelijk. Het kenmerk wijst naar dit getal in deze bundel.

# %% tags=["address"]
schattingen.loc[schattingen["role"] == "primary", ["address", "standing"]]

# %% [markdown]
# ## Wat niet
#
# - Dat het verschil *door* het programma komt. Het omslagpunt hierboven is klein: lopen beide groepen ook maar een
#   tiende van de grootste eerdere sprong uiteen, dan past ook nul bij de gegevens.
# - Dat het in elk gebied zo is. De uitkomst geldt voor de gebieden samen.
# - Dat het alternatief met het grootste verschil het beste is, of de p-waarde met de kleinste waarde de juiste.
