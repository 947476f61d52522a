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
# # De vergelijking kiezen
#
# Een verandering in de focusgebieden zegt pas iets naast een verandering elders. Dit notebook laat zien hoe een
# studie kiest *wie* daarnaast komt te staan: welke wijken mogen, welke afvallen en waarom, en hoe de rest wordt
# gekoppeld.
#
# **Waar u op let:** of de gekozen wijken op de focusgebieden lijken in wat vóór de start bekend was.
#
# **Wat u niet mag besluiten:** dat een keuze goed is omdat de uitkomst ermee mooier wordt. De keuze valt voordat
# iemand de uitkomst van na de start kent; daarom komt die hier pas in het laatste deel.
#
# De gegevens zijn verzonnen. Geen enkel cijfer gaat over echte wijken. De eerste keer draait dit notebook de studie
# `voortijdig-schoolverlaten`; staat er al een map met bundels, noem die dan in de omgevingsvariabele
# `IMPACT_BUNDLES`.

# %%
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

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


studie = impact.read_study(project / "studies" / "voortijdig-schoolverlaten")
bundel = bundel_van("voortijdig-schoolverlaten")
uitkomst = bundel.outcomes[0]

# %% [markdown]
# ## Wat de studie belooft
#
# `impact explain` zegt in gewone zinnen wat een studie gaat doen. Hier alleen het deel over wie met wie wordt
# vergeleken; alles staat in `print(studie.summary())`.

# %% tags=["explain"]
delen = studie.summary().split("\n\n")
print("\n\n".join(deel for deel in delen if deel.startswith(("Wie en vanaf wanneer", "Vergelijking"))))

# %% [markdown]
# ## De gebieden
#
# Het register van het programma kent twintig focusgebieden. Een gebied zonder bruikbare cijfers, of waar al eerder
# een programma liep, doet niet mee en staat er met de reden bij. Wie zo'n gebied weglaat zonder het te zeggen,
# verandert de vraag.

# %% tags=["areas"]
tabel(uitkomst.areas, "name", "cluster", "first_treated", "left_out")

# %% [markdown]
# ## Van alle wijken naar kandidaten
#
# Elke regel van uitsluiting staat vooraf in de studie, met een reden. De tabel telt hoeveel wijken elke regel
# wegneemt. Let op de grote stappen: een regel die een derde van de wijken wegneemt, bepaalt mee over wie de
# vergelijking gaat.

# %% tags=["flow"]
tabel(uitkomst.flow, "step", "reason", "removed", "left")

# %% tags=["figure-flow"]
impact.Picture(bundel.figure("flow"))

# %% tags=["figure-map"]
impact.Picture(bundel.figure("map"))

# %% [markdown]
# ## Manieren om te koppelen
#
# Nu de kandidaten vaststaan, kan op verschillende manieren worden gekoppeld. Onderstaande tabel bevat alleen
# kenmerken van vóór de start: opbouw en omvang. De uitkomst komt er niet in voor, en de score waarop de gebieden zijn
# gekozen ook niet; die was voor een deel toeval (zie het laatste deel).

# %%
afgevallen = [rij.unit for rij in uitkomst.excluded]
kenmerken = ["huur_pct", "uitkering_pct", "adres_dichtheid", "inwoners"]
wijken = pd.read_parquet(project / "data_synthetic" / "land-wijken.parquet").set_index("region")
wijken = wijken.drop(index=[wijk for wijk in afgevallen if wijk in wijken.index])
wijken = wijken.assign(focus=wijken["focusgebied"].ne(""))
manieren = {
    "nearest": {"ratio": 5},
    "optimal": {"ratio": 5},
    "full": {},
    "entropy": {},
}
keuzes = {
    naam: impact.match(wijken, treated="focus", on=kenmerken, method=naam, **opties)
    for naam, opties in manieren.items()
}

# %% [markdown]
# Elke keuze laat zichzelf zien: wie hoeveel wijken kreeg, en op welke afstand. Hier de vijf naaste buren.

# %% tags=["match"]
keuzes["nearest"]

# %% [markdown]
# ## Balans
#
# Het gestandaardiseerde verschil (`smd`) zegt hoeveel standaardafwijkingen de twee groepen schelen; `before` is voor
# het koppelen, `after` erna. Onder 0,1 is weinig, boven 0,25 is veel. Dat zijn vuistregels, geen toetsen.

# %% tags=["balance"]
balansen = {naam: keuze.balance() for naam, keuze in keuzes.items()}
pd.concat({naam: balans.tidy() for naam, balans in balansen.items()}, names=["manier"]).reset_index("manier")[
    ["manier", "characteristic", "smd_before", "smd_after", "ks_after"]
]

# %% [markdown]
# Het grootste verschil dat overblijft, en hoeveel even zware wijken de vergelijking nog waard is (Kish). Die twee
# trekken aan elkaar: gewichten die alles gelijk maken, laten de vergelijking soms op weinig wijken rusten. Een
# verschil als `3e-15` is nul, op de afronding van de computer na.

# %% tags=["methods"]
pd.DataFrame(
    [
        {
            "manier": naam,
            "grootste verschil": balans.largest["after"][0],
            "in": balans.largest["after"][1],
            "vergelijkingswijken waard": balans.effective["control"],
        }
        for naam, balans in balansen.items()
    ]
)

# %% [markdown]
# De figuur laat hetzelfde zien voor de koppeling van de studie: open vóór het koppelen, dicht erna.

# %% tags=["figure-love"]
naast = balansen["nearest"]
impact.picture(
    naast.plot.love(),
    "Balans voor en na het koppelen aan vijf naaste buren",
    f"Het grootste gestandaardiseerde verschil was {naast.largest['before'][0]:.2f} en is na het koppelen "
    f"{naast.largest['after'][0]:.2f} ({naast.largest['after'][1]}).",
)

# %% [markdown]
# De studie zelf koppelde binnen de regels die hierboven staan; haar balans staat in de bundel.

# %% tags=["balance-study"]
tabel(uitkomst.balance, "name", "focus", "pool", "matched", "smd_pool", "smd_matched", "matched_on")

# %% [markdown]
# ## Hoeveel hangt ervan af?
#
# Pas nu de uitkomst. Of er op de score van de selectie gekoppeld moet worden, is vooraf niet te weten: koppelen op
# toeval geeft terugval naar het gemiddelde, niet koppelen op een blijvend verschil ook een fout. Daarom rekent de
# studie het op drie manieren uit en laat zij de uitersten zien. Liggen zij ver uiteen, dan hangt het antwoord aan een
# keuze die de gegevens niet kunnen maken.

# %% tags=["bracket"]
schattingen = bundel.tidy()
schattingen.loc[schattingen["role"] == "bracket", ["name", "estimate", "ci_low", "ci_high", "areas", "unit", "status"]]

# %% [markdown]
# ## Wat u hieruit niet kunt opmaken
#
# - Balans in deze kenmerken zegt niets over wat niet gemeten is. Twee wijken met evenveel huurwoningen kunnen om
#   andere redenen uiteenlopen.
# - De drie rijen hierboven zijn geen marge van onzekerheid: elk heeft zijn eigen interval.
# - Een andere koppeling kiezen *nadat* de uitkomst bekend is, maakt de studie verkennend. Notebook 05 laat zien hoe
#   de keuze wordt vastgelegd.
